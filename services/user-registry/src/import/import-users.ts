import { setTimeout as delay } from 'node:timers/promises'
import { isTransientDatabaseError, type Sql } from '@rollcall/database'
import { errorCode, isRetryable } from '@rollcall/errors'
import type { EventCodec, UserLifecycleEvent } from '@rollcall/events'
import type { Principal } from '../principal.js'
import { decideCreation } from '../users/decide.js'
import { encodeUserRecord } from '../users/user-record.js'
import { batchLines } from './batch-lines.js'
import { type ImportCandidate, toCandidate } from './import-candidate.js'
import { importedUserId } from './import-id.js'
import type { ImportAborted, ImportResult, ImportSummary } from './import-result.js'
import { contentHash, MAX_LINE_BYTES, parseLine } from './parse-line.js'
import type { InputLine } from './read-lines.js'
import { storeChunk } from './store-chunk.js'

export interface ImportOptions {
  readonly sql: Sql
  readonly codec: Pick<EventCodec<UserLifecycleEvent>, 'encode'>
  readonly committed: () => void
  readonly now: () => Date
  readonly newId: () => string
  readonly principal: Principal
  readonly correlationId: string
  /** A UUIDv7 that makes the import resumable: a line sent again is recognised. */
  readonly importId?: string | undefined
  /** Number of the first line of the input. @default 1 */
  readonly firstLine?: number | undefined
}

/** Lines of the answer, in order. */
export type ImportAnswer = readonly (ImportResult | ImportSummary | ImportAborted)[]

/**
 * Creates a user from each line (NDJSON) and says what became of it, line by line, as it goes. Reads no faster than it
 * writes and writes no faster than it is read: memory holds two chunks, whatever the length of the import.
 */
export async function* importUsers(input: AsyncIterable<Buffer>, options: ImportOptions): AsyncGenerator<ImportAnswer> {
  const { firstLine = 1 } = options
  const counts = { created: 0, unchanged: 0, failed: 0 }
  let nextLine = firstLine
  let running: Promise<Stored> | undefined
  const settle = async (chunk: Promise<Stored>): Promise<ImportAnswer> => {
    const { results, end } = await chunk
    for (const { status } of results) counts[status]++
    nextLine = end
    return results
  }
  const batches = batchLines(input, { firstLine, maxLineBytes: MAX_LINE_BYTES })
  try {
    for (;;) {
      const next = batches.next()
      next.catch(() => {})
      // The answer does not wait for more input: a sender may be waiting for it before the next line.
      if (running !== undefined && (await endsBefore(running, next))) {
        yield await settle(running)
        running = undefined
      }
      const batch = await next
      if (batch.done) break
      // Parsed and encoded while the chunk before is being written.
      const prepared = prepare(batch.value, options)
      if (running !== undefined) yield await settle(running)
      running = store(prepared, options)
      // It is awaited later; a rejection before that must not end the process.
      running.catch(() => {})
    }
    if (running !== undefined) yield await settle(running)
    yield [{ summary: { ...counts, nextLine } }]
  } catch (error) {
    yield [{ aborted: { ...reasonOf(error), nextLine } }]
  } finally {
    await running?.catch(() => {})
    // Not awaited: a read of the input may be under way, and ends only with the connection.
    batches.return(undefined).catch(() => {})
  }
}

/** True when `one` ends, well or not, before `other`. */
function endsBefore(one: Promise<unknown>, other: Promise<unknown>): Promise<boolean> {
  const yes = () => true
  const no = () => false
  return Promise.race([one.then(yes, yes), other.then(no, no)])
}

interface Prepared {
  readonly refused: readonly ImportResult[]
  readonly candidates: readonly ImportCandidate[]
  /** The line after the chunk. */
  readonly end: number
}

function prepare(lines: readonly InputLine[], options: ImportOptions): Prepared {
  const refused: ImportResult[] = []
  const candidates: ImportCandidate[] = []
  const context = {
    tenantId: options.principal.tenantId,
    actor: options.principal.actor,
    correlationId: options.correlationId,
    causationId: null,
    now: options.now(),
    gracePeriodMs: 0,
  }
  for (const input of lines) {
    const parsed = parseLine(input)
    if (parsed === undefined) continue
    if ('error' in parsed) {
      refused.push({ line: parsed.line, status: 'failed', error: parsed.error })
      continue
    }
    const { line, profile } = parsed
    const userId = options.importId === undefined ? options.newId() : importedUserId(options.importId, line)
    const decision = decideCreation({ type: 'CreateUser', userId, profile }, { ...context, eventId: options.newId() })
    const record = encodeUserRecord(decision.event, options.codec)
    candidates.push(toCandidate(line, decision, record, options.importId === undefined ? null : contentHash(profile)))
  }
  return { refused, candidates, end: (lines.at(-1)?.line ?? 0) + 1 }
}

interface Stored {
  readonly results: readonly ImportResult[]
  readonly end: number
}

async function store({ refused, candidates, end }: Prepared, options: ImportOptions): Promise<Stored> {
  const { sql, principal, importId, committed } = options
  const write = () => storeChunk(sql, candidates, { tenantId: principal.tenantId, isResumable: importId !== undefined })
  // Safe to repeat, also after a commit whose answer was lost: the ids are fixed, so what is there is recognised.
  const written = candidates.length === 0 ? [] : await patiently(write)
  if (written.some(({ status }) => status === 'created')) committed()
  if (refused.length === 0) return { results: written, end }
  return { results: [...written, ...refused].sort((a, b) => a.line - b.line), end }
}

const PAUSES_MS = [50, 200, 500, 1_000, 2_000, 3_000, 3_000]

// A database that restarts is back in a second or two; an import of an hour should not end for that.
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await work()
    } catch (error) {
      if (!isTransientDatabaseError(error) && !isRetryable(error)) throw error
      await delay(pauseMs)
    }
  }
  return work()
}

function reasonOf(error: unknown): { code: string; detail: string } {
  return isTransientDatabaseError(error)
    ? { code: 'ERR_DEPENDENCY_UNAVAILABLE', detail: 'The database does not answer; send the rest again later.' }
    : { code: ownCode(error), detail: 'The import had to stop here; send the rest again.' }
}

function ownCode(error: unknown): string {
  const code = errorCode(error)
  return code?.startsWith('ERR_') ? code : 'ERR_INTERNAL'
}
