import { z } from 'zod'
import type { Heal, HealRequest } from '../parking/heal-gaps.js'
import { EventsGoneError, EventsUnavailableError } from '../projection-errors.js'
import { fetchJson } from './fetch-json.js'

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
      const { ok, status, body } = await fetchJson(url, { signal, timeoutMs, maxBytes })
      if (ok) return eventsAnswer.parse(body).items.map(({ value }) => Buffer.from(value, 'base64'))
      throw refusalOf(request, status, problemAnswer.parse(body).code)
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

const eventsAnswer = z.object({ items: z.array(z.object({ version: z.int(), value: z.base64() })) })
const problemAnswer = z.object({ code: z.string().optional() })
