/** Pauses that double up to a limit, half of each random so that relays do not return in step. */
export interface Backoff {
  pause(signal: AbortSignal): Promise<void>
  reset(): void
}

export function createBackoff({ first, longest }: { readonly first: number; readonly longest: number }): Backoff {
  let failures = 0
  return {
    async pause(signal) {
      const full = Math.min(longest, first * 2 ** Math.min(failures++, 20))
      await sleep(full / 2 + (Math.random() * full) / 2, signal)
    },
    reset() {
      failures = 0
    },
  }
}

/** Waits, or returns early when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
