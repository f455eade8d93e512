/** Wakes everyone who waits. */
export interface Signal {
  raise(): void
  /** Resolves at the next `raise` or after the time, whichever is first. */
  wait(timeoutMs: number): Promise<void>
}

export function createSignal(): Signal {
  const waiting = new Set<() => void>()
  return {
    raise() {
      for (const wake of [...waiting]) wake()
    },
    wait(timeoutMs) {
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, timeoutMs)
        waiting.add(wake)
      })
    },
  }
}
