export interface FetchJsonOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** A longer answer is refused. */
  readonly maxBytes: number
  /** Sent as JSON; makes it a POST. */
  readonly body?: unknown
}

/** A request whose answer is JSON, whatever its status. Rejects without an answer, or when it is none. */
export async function fetchJson(
  url: string,
  { signal, timeoutMs, maxBytes, body }: FetchJsonOptions,
): Promise<{ readonly ok: boolean; readonly status: number; readonly body: unknown }> {
  const answer = await fetch(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    ...(body === undefined
      ? {}
      : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return { ok: answer.ok, status: answer.status, body: JSON.parse(await textOf(answer, maxBytes)) }
}

async function textOf({ body }: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new RangeError(`the answer has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
