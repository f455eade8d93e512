import { request } from '../stack/http-client.js'
import { openLoop } from './open-loop.js'
import type { AnsweredChange } from './steady-changes.js'

export interface WatchfulReaderOptions {
  /** Base address of the directory process that is read from. */
  readonly directory: string
  /** People read when no change is waiting. */
  readonly userIds: readonly string[]
  /** Plain reads a second, one in ten of them a page. @default 100 */
  readonly perSecond?: number
  /** Of the changes told to it, one in so many is waited for with `atLeast`. @default 4 */
  readonly everyNth?: number
}

/** What readers met in one stretch of a drill. */
export interface Readings {
  readonly reads: number
  /** Answered otherwise than with 200, or with another person; an example of each kind. */
  readonly failed: number
  /** A version below one that had been read before the read began. */
  readonly backwards: number
  /** Asked for with `atLeast`, and not there in ten seconds. */
  readonly late: number
  /** From a change answered to its being readable, in milliseconds. */
  readonly freshMs: readonly number[]
  readonly examples: readonly string[]
}

export interface WatchfulReader {
  /** A change was answered; some of them are waited for. */
  changed(change: AnsweredChange): void
  /** What was met since the last call, when what is under way has ended. */
  take(): Promise<Readings>
  stop(): Promise<void>
}

const WAIT_MS = 10_000
/** Slow is measured; only no answer is a failure. */
const ANSWER_MS = 30_000
const EXAMPLES = 5
const RECENT = 50

/** Reads people all the time, and holds every answer against what it has read before. */
export function startWatchfulReader(options: WatchfulReaderOptions): WatchfulReader {
  const { directory, userIds, perSecond = 100, everyNth = 4 } = options
  const seen = new Map<string, number>()
  const recent: string[] = []
  let found = blank()
  let told = 0

  /** A version that some read has shown before this one began must still be there. */
  async function readPerson(userId: string, query = ''): Promise<'read' | 'late' | 'failed'> {
    const floor = seen.get(userId) ?? 0
    const stretch = found
    stretch.reads++
    const url = `${directory}/v1/people/${userId}${query}`
    const answer = await request('GET', url, { timeoutMs: ANSWER_MS }).catch(unanswered)
    if (answer.status === 503 && query !== '') {
      stretch.late++
      return 'late'
    }
    const { id, version } = (answer.body ?? {}) as { id?: string; version?: number }
    if (answer.status !== 200 || id !== userId || version === undefined)
      return failed(stretch, `${userId}: ${said(answer)}`)
    if (version < floor) {
      stretch.backwards++
      example(stretch, `${userId}: version ${version} after ${floor}`)
    }
    seen.set(userId, Math.max(version, seen.get(userId) ?? 0))
    return 'read'
  }

  async function readPage(): Promise<void> {
    const stretch = found
    stretch.reads++
    const answer = await request('GET', `${directory}/v1/people?limit=20`, { timeoutMs: ANSWER_MS }).catch(unanswered)
    const { items = [] } = (answer.body ?? {}) as { items?: unknown[] }
    if (answer.status !== 200 || items.length !== 20) failed(stretch, `a page: ${said(answer)}`)
  }

  async function readFresh({ userId, version, answeredAtMs }: AnsweredChange): Promise<void> {
    const stretch = found
    const how = await readPerson(userId, `?atLeast=${userId}@${version}&waitMs=${WAIT_MS}`)
    if (how !== 'read') return
    stretch.freshMs.push(performance.now() - answeredAtMs)
    recent.push(userId)
    if (recent.length > RECENT) recent.shift()
  }

  /** Every other read is of someone just changed: that is where going back would show. */
  const whom = (number: number) => {
    const from = number % 2 === 0 && recent.length > 0 ? recent : userIds
    return from[(number * 7919) % from.length] as string
  }
  const loop = openLoop(perSecond, (number) => (number % 10 === 0 ? readPage() : readPerson(whom(number))))

  return {
    changed(change) {
      if (!loop.isStopped && told++ % everyNth === 0) loop.add(readFresh(change))
    },
    async take() {
      const taken = found
      found = blank()
      await loop.settled()
      return taken
    },
    stop: loop.stop,
  }
}

type Counting = { -readonly [Key in keyof Readings]: Readings[Key] } & { freshMs: number[]; examples: string[] }

const blank = (): Counting => ({ reads: 0, failed: 0, backwards: 0, late: 0, freshMs: [], examples: [] })

const unanswered = (error: Error) => ({ status: 0, body: error.message })

const said = ({ status, body }: { readonly status: number; readonly body?: unknown }) =>
  status === 0 ? String(body) : `status ${status}`

function failed(stretch: Counting, said: string): 'failed' {
  stretch.failed++
  example(stretch, said)
  return 'failed'
}

function example(stretch: Counting, said: string): void {
  if (stretch.examples.length < EXAMPLES) stretch.examples.push(said)
}
