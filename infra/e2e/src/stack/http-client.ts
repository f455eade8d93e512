export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The parsed JSON; the text when it is none. */
  readonly body: unknown
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is text already. */
  readonly body?: unknown
  /** @default 15_000 */
  readonly timeoutMs?: number
}

/** One HTTP request whose answer is read whole. */
export async function request(method: string, url: string, options: RequestOptions = {}): Promise<Answer> {
  const { headers = {}, body, timeoutMs = 15_000 } = options
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: jsonOrText(text) }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
