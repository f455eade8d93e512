/** A signal that is remembered while nobody waits, so that a wake-up during work is not lost. */
export interface WakeSignal {
  wake(): void
  /** Resolves at the next wake-up, at once when one came since the last wait, or after `timeoutMs`. */
  wait(timeoutMs: number): Promise<void>
}

export function createWakeSignal(): WakeSignal {
  let pending = false
  let waiting: (() => void) | undefined
  return {
    wake() {
      if (waiting === undefined) pending = true
      else waiting()
    },
    wait(timeoutMs) {
      if (pending) {
        pending = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          waiting = undefined
          resolve()
        }
        const timer = setTimeout(done, timeoutMs)
        waiting = done
      })
    },
  }
}
