/** Turns a reader that pushes into one that is pulled from: `push` resolves when its item was used, so few are held. */
export async function* handOver<T>(produce: (push: (item: T) => Promise<void>) => Promise<void>): AsyncIterable<T> {
  const held: Array<{ item: T; used: () => void }> = []
  let wake = () => {}
  let done = false
  const finished = produce(
    (item) =>
      new Promise<void>((used) => {
        held.push({ item, used })
        wake()
      }),
  ).finally(() => {
    done = true
    wake()
  })
  // Awaited below; until then a failure must not count as unhandled.
  finished.catch(() => {})
  for (;;) {
    const next = held.shift()
    if (next) {
      yield next.item
      next.used()
    } else if (done) {
      await finished
      return
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}
