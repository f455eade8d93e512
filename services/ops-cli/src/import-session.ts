import { setTimeout as wait } from 'node:timers/promises'
import { isRetryable, RollcallError } from '@rollcall/errors'
import { CommandInterruptedError, reasonOf, ServiceAnswerUnknownError, ServiceRefusedError } from './command-errors.js'
import type { ImportFailures } from './import-failures.js'
import type { ImportRecord } from './import-record.js'
import { type ImportAnswer, sendImport } from './import-request.js'
import type { ImportState } from './import-state.js'
import { grouped } from './terminal.js'

export interface ImportSessionOptions {
  /** Address of the user registry. */
  readonly registryUrl: string
  /** The records behind `state.confirmed`. */
  readonly records: AsyncIterable<ImportRecord>
  /** Where the import stands: all zero for a new one. */
  readonly state: ImportState
  readonly failures: ImportFailures
  /** Users in one request. */
  readonly batchSize: number
  /** How long the registry may be away, without one line confirmed, before the session ends. */
  readonly giveUpAfterMs: number
  /** Called after every answered request, once the error file holds what the state counts. */
  save(state: ImportState): Promise<void>
  note(line: string): void
  readonly signal: AbortSignal
  /** A request without a byte for this long counts as a lost connection. @default 60000 */
  readonly silenceMs?: number
  readonly firstPauseMs?: number
  readonly now?: () => number
}

/**
 * Sends a source of users to the registry, request by request, each line exactly once.
 *
 * The registry remembers the numbers it has answered under the import id, so an unconfirmed line is simply sent again
 * under its old number: after a lost connection, after a restart of the registry, or after a restart of this process.
 *
 * @returns the final state
 * @throws ImportGivenUpError when the registry stays away, ServiceRefusedError when it refuses a whole request
 */
export async function runImportSession(options: ImportSessionOptions): Promise<ImportState> {
  const batches = batchesOf(options.records, options.batchSize)
  let state = options.state
  let upcoming = batches.next()
  try {
    for (let step = await upcoming; step.done !== true; step = await upcoming) {
      // The next request is read and mapped while the registry works on this one.
      upcoming = batches.next()
      upcoming.catch(() => {})
      state = await deliver(step.value, state, options)
    }
    return state
  } catch (error) {
    throw options.signal.aborted ? new CommandInterruptedError() : error
  } finally {
    // Not awaited: it waits for the read ahead, and a pipe may stay silent for ever.
    batches.return(undefined).catch(() => {})
  }
}

/** `ERR_IMPORT_GIVEN_UP`: the registry stayed away for too long; what was confirmed is kept and the import can go on. */
export class ImportGivenUpError extends RollcallError {
  constructor(seconds: number, cause: unknown) {
    super({
      code: 'ERR_IMPORT_GIVEN_UP',
      message: `The registry confirmed nothing for ${seconds} s (${reasonOf(cause)}). Is it running? \`npm start\` starts it.`,
      retryable: true,
      facts: { seconds },
      cause,
    })
  }
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000

/** Records up to `size` users; bad lines travel with their neighbours so that the order of the source is kept. */
async function* batchesOf(records: AsyncIterable<ImportRecord>, size: number): AsyncGenerator<ImportRecord[]> {
  let batch: ImportRecord[] = []
  let users = 0
  for await (const record of records) {
    batch.push(record)
    if (record.kind === 'user') users++
    // A file of bad lines only must not be collected whole either.
    if (users === size || batch.length >= 2 * size) {
      yield batch
      batch = []
      users = 0
    }
  }
  if (batch.length > 0) yield batch
}

/** Sends one batch until every record of it is answered. */
async function deliver(
  batch: ImportRecord[],
  before: ImportState,
  options: ImportSessionOptions,
): Promise<ImportState> {
  const { note, signal, now = Date.now, giveUpAfterMs, firstPauseMs = FIRST_PAUSE_MS } = options
  let state = before
  let left = batch
  let lastProgressAt = now()
  let pauseMs = firstPauseMs
  let waiting = false

  for (;;) {
    const { answers, error } = await ask(left, state, options)
    const confirmed = confirm(left, state, answers, options.failures)
    if (confirmed.count > 0 || error === undefined) {
      if (waiting) note(`The registry answers again; going on after line ${grouped(confirmed.state.confirmed.line)}.`)
      state = { ...confirmed.state, errorFileBytes: await options.failures.flush() }
      await options.save(state)
      left = left.slice(confirmed.count)
      lastProgressAt = now()
      pauseMs = firstPauseMs
      waiting = false
    }
    if (signal.aborted) throw new CommandInterruptedError()
    if (left.length === 0) return state
    if (error !== undefined && !isRetryable(error)) throw error
    if (now() - lastProgressAt >= giveUpAfterMs) throw new ImportGivenUpError(Math.round(giveUpAfterMs / 1000), error)
    if (!waiting) {
      const seconds = Math.round(giveUpAfterMs / 1000)
      note(
        `${unavailable(error)}; confirmed up to line ${grouped(state.confirmed.line)}, trying again for up to ${seconds} s.`,
      )
      waiting = true
    }
    await wait(Math.min(pauseMs, Math.max(0, giveUpAfterMs - (now() - lastProgressAt))), undefined, { signal }).catch(
      () => {},
    )
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }
}

async function ask(
  records: readonly ImportRecord[],
  state: ImportState,
  { registryUrl, signal, silenceMs = 60_000 }: ImportSessionOptions,
): Promise<{ answers: Map<number, ImportAnswer>; error?: unknown }> {
  const users = records.flatMap((record) => (record.kind === 'user' ? [record.json] : []))
  const answers = new Map<number, ImportAnswer>()
  if (users.length === 0) return { answers }
  const firstLine = state.usersAnswered + 1
  try {
    const request = { importId: state.importId, firstLine, users, silenceMs, signal }
    for await (const answer of sendImport(registryUrl, request)) answers.set(answer.line, answer)
  } catch (error) {
    return { answers, error }
  }
  if (answers.size >= users.length) return { answers }
  const why = `${answers.size} answers to ${users.length} lines`
  return { answers, error: new AnswersMissingError(why) }
}

/** An answer that ended well but early: a registry that was told to stop does this. Sent again like a lost connection. */
class AnswersMissingError extends ServiceAnswerUnknownError {
  override readonly retryable = true
  constructor(why: string) {
    super('user registry', 'POST /v1/users/import', why)
  }
}

/** Takes answers over in the order of the source, up to the first record without one. */
function confirm(
  records: readonly ImportRecord[],
  before: ImportState,
  answers: ReadonlyMap<number, ImportAnswer>,
  failures: ImportFailures,
): { state: ImportState; count: number } {
  const state = { ...before }
  let count = 0
  for (const record of records) {
    const { line, original } = record
    if (record.kind === 'bad') {
      failures.add({ line, code: record.code, reason: record.reason, original })
      state.failed++
    } else {
      const answer = answers.get(state.usersAnswered + 1)
      if (answer === undefined) break
      if (answer.outcome === 'failed') {
        failures.add({ line, code: answer.code, reason: answer.detail ?? answer.code, original })
      }
      state[answer.outcome]++
      state.usersAnswered++
    }
    state.confirmed = record.end
    count++
  }
  return { state, count }
}

const unavailable = (error: unknown) =>
  error instanceof ServiceRefusedError
    ? `The registry answers ${error.status}`
    : `The registry does not answer: ${error instanceof AnswersMissingError ? 'its answer stopped early' : reasonOf(error)}`
