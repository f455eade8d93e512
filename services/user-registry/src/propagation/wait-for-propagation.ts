import { z } from 'zod'
import type { AppliedNews } from './applied-news.js'
import { type Change, progressOf } from './propagation.js'
import type { Subscriber, Subscribers } from './subscribers.js'
import { SubscribersUnknownError } from './subscribers-unknown-error.js'
import type { AskUser } from './user-questions.js'

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
/** Whoever is heard says so by itself; asked all the same, because a stream may have missed it. */
const FIRST_POLL_OF_HEARD_MS = 100
const LONGEST_POLL_MS = 250
/** A version gap is parked too, and heals by itself in a moment: who is parked for longer waits for an operator. */
const PARKED_FOR_MS = 500

export interface PropagationTools {
  readonly subscribers: Subscribers
  readonly news: AppliedNews
  readonly ask: AskUser
}

/**
 * Waits until the change has arrived, the time is up, or everybody left is parked; answers the value of
 * `Rollcall-Propagation`: `applied`, or `pending; waiting-for="…"`, with `; parked="…"` for those among them who are. `all`
 * does not wait for the silent, but names them: `applied; unreachable="…"`.
 */
export async function waitForPropagation(
  { subscribers, news, ask }: PropagationTools,
  change: Change,
  { wait = 'all', timeoutMs = TIMEOUT_MS }: WaitQuery,
): Promise<string> {
  const deadline = performance.now() + timeoutMs
  const leftMs = () => Math.max(0, deadline - performance.now())
  const named = wait === 'all' ? undefined : new Set(wait.split(','))
  const applied = new Set<string>()
  const parkedSince = new Map<string, number>()
  const pause = pauses()
  let missing: () => readonly string[] = () => []
  const stopListening = news.listen(change.userId, (name, version) => {
    if (version < change.version) return
    applied.add(name)
    if (missing().length === 0) pause.end()
  })
  try {
    for (let pollMs = 0; ; pollMs = Math.min(pollMs * 1.5, LONGEST_POLL_MS)) {
      const all = knownOf(subscribers)
      const asked = all?.filter((one) => (named === undefined ? isLive(one) : named.has(nameOf(one)))) ?? []
      const names = named === undefined ? asked.map(nameOf) : [...named]
      missing = () => names.filter((name) => !applied.has(name))
      const heard = new Set(asked.filter((one) => news.isHeard(one)))
      const due = asked.filter((one) => !applied.has(nameOf(one)) && (pollMs > 0 || !heard.has(one)))
      if (pollMs === 0)
        pollMs = asked.length > 0 && heard.size === asked.length ? FIRST_POLL_OF_HEARD_MS : FIRST_POLL_MS
      const questions = due.map(async (one) => {
        const { status } = await progressOf(one, change, ask)
        const name = nameOf(one)
        if (status === 'applied') applied.add(name)
        if (status !== 'parked') parkedSince.delete(name)
        else if (!parkedSince.has(name)) parkedSince.set(name, performance.now())
      })
      if (questions.length > 0) await Promise.race([Promise.all(questions), pause.of(leftMs())])
      const left = missing()
      if (all !== undefined && left.length === 0) return withNames('applied', 'unreachable', named ? [] : silent(all))
      const parked = left.filter((name) => parkedSince.has(name))
      const isStuck = all !== undefined && left.every((name) => isLong(parkedSince.get(name)))
      if (leftMs() === 0 || isStuck) return withNames(withNames('pending', 'waiting-for', left), 'parked', parked)
      await pause.of(Math.min(pollMs, leftMs()))
    }
  } finally {
    stopListening()
    pause.end()
  }
}

const isLong = (since: number | undefined) => since !== undefined && performance.now() - since >= PARKED_FOR_MS

/** One pause at a time, which can be ended early; a new one ends the former. */
function pauses(): { of(ms: number): Promise<void>; end(): void } {
  let end = () => {}
  return {
    of(ms) {
      end()
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        end = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    },
    end: () => end(),
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
