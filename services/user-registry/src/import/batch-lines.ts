import { createLineSplitter, type InputLine } from './read-lines.js'

export interface BatchLinesOptions {
  readonly firstLine: number
  readonly maxLineBytes: number
  /** @default 500 */
  readonly maxLines?: number
  /** @default 1 MiB */
  readonly maxBytes?: number
  /** How long an unfull batch waits for more input; a slow sender still gets its answers. @default 20 */
  readonly lingerMs?: number
}

/** Gathers arriving lines into batches: full ones while input is plenty, small ones when it trickles. */
export async function* batchLines(
  input: AsyncIterable<Buffer>,
  { firstLine, maxLineBytes, maxLines = 500, maxBytes = 1_048_576, lingerMs = 20 }: BatchLinesOptions,
): AsyncGenerator<InputLine[]> {
  const splitter = createLineSplitter(firstLine, maxLineBytes)
  const chunks = input[Symbol.asyncIterator]()
  let batch: InputLine[] = []
  let bytes = 0
  const take = () => {
    const full = batch
    batch = []
    bytes = 0
    return full
  }
  try {
    let next = ahead(chunks)
    for (;;) {
      const step = batch.length === 0 ? await next : await within(next, lingerMs)
      if (step === undefined) {
        yield take()
        continue
      }
      if (step.done) break
      next = ahead(chunks)
      for (const line of splitter.push(step.value)) {
        batch.push(line)
        bytes += line.bytes?.length ?? 0
        if (batch.length >= maxLines || bytes >= maxBytes) yield take()
      }
    }
    const rest = splitter.rest()
    if (rest !== undefined) batch.push(rest)
    if (batch.length > 0) yield take()
  } finally {
    await chunks.return?.()
  }
}

function ahead(chunks: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
  const next = chunks.next()
  // It is awaited later, or never when the reader of the batches has left.
  next.catch(() => {})
  return next
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
