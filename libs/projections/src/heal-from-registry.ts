import { z } from 'zod'
import type { Heal, HealRequest } from './heal-gaps.js'
import { EventsGoneError, EventsUnavailableError } from './projection-errors.js'

export interface HealFromRegistryOptions {
  /** Base address of the user registry. */
  readonly registryUrl: string
  /** @default 10000 */
  readonly timeoutMs?: number
  /** A longer answer is refused. @default 64 MiB */
  readonly maxBytes?: number
}

/** Fetches missing events from the registry's outbox archive. */
export function healFromRegistry(options: HealFromRegistryOptions): Heal {
  const { timeoutMs = 10_000, maxBytes = 64 * 1_024 * 1_024 } = options
  const base = options.registryUrl.replace(/\/+$/, '')

  return async (request) => {
    const { userId, fromVersion, toVersion, signal } = request
    const url = `${base}/v1/users/${userId}/events?from=${fromVersion}&to=${toVersion}`
    try {
      const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
      const body: unknown = JSON.parse(await textOf(answer, maxBytes))
      if (answer.ok) return eventsAnswer.parse(body).items.map(({ value }) => Buffer.from(value, 'base64'))
      throw refusalOf(request, answer.status, problemAnswer.parse(body).code)
    } catch (cause) {
      if (cause instanceof EventsGoneError || cause instanceof EventsUnavailableError) throw cause
      const problem = `${base} gave no answer that could be read`
      throw new EventsUnavailableError(userId, fromVersion, toVersion, problem, cause)
    }
  }
}

// By code, not by status: a proxy or an older registry answers 404 too.
function refusalOf({ userId, fromVersion, toVersion }: HealRequest, status: number, code: string | undefined): Error {
  const reason = GONE[code ?? '']
  if (reason !== undefined) return new EventsGoneError(userId, fromVersion, toVersion, reason)
  return new EventsUnavailableError(
    userId,
    fromVersion,
    toVersion,
    `the registry answered ${status} ${code ?? ''}`.trim(),
  )
}

const GONE: Readonly<Record<string, string>> = {
  ERR_USER_EVENTS_GONE: "the registry's outbox archive does not have them",
  ERR_USER_NOT_FOUND: 'the registry has no such user',
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

const eventsAnswer = z.object({ items: z.array(z.object({ version: z.int(), value: z.base64() })) })
const problemAnswer = z.object({ code: z.string().optional() })
