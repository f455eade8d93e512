/** Something that happens once. */
export interface Latch {
  readonly isSet: boolean
  readonly whenSet: Promise<void>
  set(): void
}

export function createLatch(): Latch {
  let isSet = false
  let release: () => void = () => undefined
  const whenSet = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    get isSet() {
      return isSet
    },
    whenSet,
    set() {
      isSet = true
      release()
    },
  }
}
