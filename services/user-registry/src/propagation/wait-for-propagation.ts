import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { type Change, progressOf } from './propagation.js'
import type { Subscriber, Subscribers } from './subscribers.js'
import { SubscribersUnknownError } from './subscribers-unknown-error.js'

const NAMES = /^[\w.-]+\/[\w.-]+(?:,[\w.-]+\/[\w.-]+)*$/

/** Of a write: whether to answer only when the change has arrived. Other parameters are nobody's error, as before. */
export const waitQuery = z
  .object({
    wait: z
      .union([z.literal('all'), z.string().regex(NAMES)], {
        error: 'must be all, or service/projection separated by commas',
      })
      .optional()
      .meta({ description: 'Answer when these have applied the change: `all` live subscribers, or a named set.' }),
    timeoutMs: z.coerce
      .number()
      .int()
      .min(1)
      .max(30_000)
      .optional()
      .meta({ description: 'How long to wait at most; 5000 unless told. The write stands either way.' }),
  })
  .refine(({ wait, timeoutMs }) => wait !== undefined || timeoutMs === undefined, {
    path: ['timeoutMs'],
    error: 'needs wait',
  })

export type WaitQuery = z.output<typeof waitQuery>

const TIMEOUT_MS = 5_000
const FIRST_POLL_MS = 20
const LONGEST_POLL_MS = 250

/**
 * Waits until the change has arrived, or the time is up; answers the value of `Rollcall-Propagation`: `applied`, or
 * `pending; waiting-for="…"`. `all` does not wait for the silent, but names them: `applied; unreachable="…"`.
 */
export async function waitForPropagation(
  subscribers: Subscribers,
  change: Change,
  { wait = 'all', timeoutMs = TIMEOUT_MS }: WaitQuery,
): Promise<string> {
  const deadline = performance.now() + timeoutMs
  const named = wait === 'all' ? undefined : new Set(wait.split(','))
  const applied = new Set<string>()
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, LONGEST_POLL_MS)) {
    const all = knownOf(subscribers)
    const asked = all?.filter((one) => (named === undefined ? isLive(one) : named.has(nameOf(one)))) ?? []
    const leftMs = () => deadline - performance.now()
    await Promise.race([
      Promise.all(
        asked
          .filter((one) => !applied.has(nameOf(one)))
          .map(async (one) => {
            if ((await progressOf(one, change)).status === 'applied') applied.add(nameOf(one))
          }),
      ),
      sleep(Math.max(0, leftMs()), undefined, { ref: false }),
    ])
    const missing = [...(named ?? asked.map(nameOf))].filter((name) => !applied.has(name))
    if (all !== undefined && missing.length === 0) return withNames('applied', 'unreachable', named ? [] : silent(all))
    if (leftMs() <= 0) return withNames('pending', 'waiting-for', missing)
    await sleep(Math.min(pollMs, leftMs()))
  }
}

function knownOf(subscribers: Subscribers): readonly Subscriber[] | undefined {
  try {
    return subscribers.known()
  } catch (error) {
    if (error instanceof SubscribersUnknownError) return undefined
    throw error
  }
}

const nameOf = ({ service, projection }: Subscriber) => `${service}/${projection}`
const isLive = ({ instances }: Subscriber) => instances.some((one) => one.isLive)
const silent = (all: readonly Subscriber[]) => all.filter((one) => !isLive(one)).map(nameOf)

const withNames = (word: string, label: string, names: readonly string[]) =>
  names.length === 0 ? word : `${word}; ${label}="${names.map((name) => name.replace(/[^\w./-]/g, '?')).join(',')}"`
