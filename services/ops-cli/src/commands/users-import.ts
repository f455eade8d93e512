import { basename, dirname, join, relative, resolve } from 'node:path'
import { Command } from 'commander'
import { uuidv7 } from 'uuidv7'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { CommandInterruptedError, UsageInvalidError } from '../command-errors.js'
import { USER_COLUMNS } from '../csv-columns.js'
import { address } from '../endpoints.js'
import { openImportFailures } from '../import-failures.js'
import { ImportGivenUpError, runImportSession } from '../import-session.js'
import { formatOf, type ImportFormat, type ImportSource, openImportFile, openImportPipe } from '../import-source.js'
import { type ImportState, readImportState, removeImportState, writeImportState } from '../import-state.js'
import { oneOf, pair, uuidVersion7, wholeNumber } from '../option-values.js'
import { startProgress } from '../progress.js'
import { counted, grouped } from '../terminal.js'

/** `rollcall users import <file>` */
export const usersImportCommand = (act: Act): Command =>
  new Command('import')
    .summary('create users from a CSV or NDJSON file, exactly once, resumable')
    .description(
      `Creates users from a file, or from a pipe with "-".

Lines that cannot be read or are refused go to the error file and stop nothing. While the registry is away the command waits; killed at any time, it goes on with --resume.

CSV columns: ${USER_COLUMNS.join(', ')}, attr.<name>. The first line names them; "email" is the primary address, "emails" more of them separated by semicolons.
NDJSON: one user a line, in the form POST /v1/users takes.`,
    )
    .argument('<file>', 'the users; - reads standard input')
    .option('--format <format>', 'csv or ndjson (default: from the file name)', oneOf(['csv', 'ndjson']))
    .option('--map <header=column>', 'what a CSV column means; - leaves it out; repeatable', pair)
    .option('--delimiter <char>', 'between CSV columns (default: found in the header: comma, semicolon or tab)')
    .option('--errors <file>', 'where bad lines go (default: <file>.errors.ndjson)')
    .option('--resume', 'go on with an import that was interrupted')
    .option('--restart', 'forget an interrupted import and begin a new one')
    .option(
      '--import-id <uuidv7>',
      'the id under which the registry remembers the lines (default: a new one)',
      uuidVersion7,
    )
    .option('--batch <n>', 'users in one request', wholeNumber(1, 10_000), 2_000)
    .option('--give-up-after <seconds>', 'how long the registry may be away', wholeNumber(0, 86_400), 120)
    .addHelpText(
      'after',
      `
Exit codes: 0 every line is there, 1 some line failed or the import stopped, 2 wrong usage.

Examples:
  rollcall users import people.csv
  rollcall users import people.csv --resume
  rollcall users import staff.csv --map "Login=userName" --map "Badge=attr.badge" --map "Notes=-"
  rollcall users generate --count 500 --format ndjson | rollcall users import - --format ndjson --json`,
    )
    .action(act(importUsers))

interface ImportOptions {
  readonly format?: ImportFormat
  readonly map?: Record<string, string>
  readonly delimiter?: string
  readonly errors?: string
  readonly resume?: boolean
  readonly restart?: boolean
  readonly importId?: string
  readonly batch: number
  readonly giveUpAfter: number
}

async function importUsers(context: CommandContext, file: string, options: ImportOptions): Promise<Outcome> {
  const { terminal, signal, cwd } = context
  const registryUrl = address(context.endpoints, 'registry')
  const format = options.format ?? formatOf(file)
  const reading = { format, mapping: options.map ?? {}, delimiter: delimiterOf(options.delimiter) }
  const isPipe = file === '-'
  const path = resolve(cwd, file)
  const source = isPipe ? openImportPipe(context.stdin, reading, signal) : await openImportFile(path, reading)
  const places = placesOf(isPipe ? resolve(cwd, 'stdin') : path, options.errors && resolve(cwd, options.errors))
  const start = isPipe
    ? startOfPipe(options)
    : await startOfFile(source, basename(path), JSON.stringify(reading), places.state, options)

  const startedAtMs = Date.now()
  const failures = await openImportFailures(places.errors, start.errorFileBytes)
  const progress = startProgress({
    terminal,
    total: source.bytes,
    noun: 'lines',
    doneBefore: start.confirmed.byte,
    itemsBefore: handled(start),
  })
  if (start.confirmed.line > 0) terminal.note(`Resuming after line ${grouped(start.confirmed.line)}.`)

  let state = start
  let stopped: unknown
  try {
    // Before the first request: a run killed during it must come back under the same import id.
    if (!isPipe) await writeImportState(places.state, start)
    await runImportSession({
      registryUrl,
      records: source.records(start.confirmed),
      state: start,
      failures,
      batchSize: options.batch,
      giveUpAfterMs: options.giveUpAfter * 1000,
      async save(reached) {
        state = reached
        if (!isPipe) await writeImportState(places.state, reached)
        progress.update(reached.confirmed.byte, handled(reached))
      },
      note: (line) => terminal.note(line),
      signal,
    })
    if (!isPipe) await removeImportState(places.state)
  } catch (error) {
    stopped = error
  } finally {
    source.close()
    progress.stop()
    await failures.close()
  }

  const seconds = (Date.now() - startedAtMs) / 1000
  const summary = summaryOf(
    start,
    state,
    seconds,
    stopped === undefined,
    state.errorFileBytes > 0 ? places.errors : undefined,
  )
  await terminal.result(summary, () => spokenSummary(summary, cwd))
  if (stopped !== undefined) throw withAdvice(stopped, isPipe ? undefined : file, state)
  return state.failed > 0 ? 'wrong' : 'done'
}

function delimiterOf(given: string | undefined): string | undefined {
  if (given === undefined || given.length === 1) return given
  if (given === '\\t' || given === 'tab') return '\t'
  throw new UsageInvalidError(`--delimiter ${given}: expected one character, or "tab".`)
}

function placesOf(source: string, errors: string | undefined) {
  const errorFile = errors ?? `${source}.errors.ndjson`
  return { errors: errorFile, state: join(dirname(errorFile), `${basename(source)}.import.json`) }
}

function startOfPipe({ resume, restart, importId }: ImportOptions): ImportState {
  if (resume || restart) {
    throw new UsageInvalidError(
      'A pipe cannot be resumed: what was read is gone. Send the same input again with --import-id and the id of the first run; the registry skips what it has.',
    )
  }
  return freshState(importId, { name: '-', bytes: 0, fingerprint: '', reading: '' })
}

async function startOfFile(
  source: ImportSource,
  name: string,
  reading: string,
  statePath: string,
  { resume, restart, importId }: ImportOptions,
): Promise<ImportState> {
  const of = { name, bytes: source.bytes ?? 0, fingerprint: source.fingerprint ?? '', reading }
  if (restart) {
    if (resume) throw new UsageInvalidError('--resume and --restart exclude each other.')
    await removeImportState(statePath)
    return freshState(importId, of)
  }
  const found = await readImportState(statePath)
  if (found === undefined) {
    if (resume) {
      throw new UsageInvalidError(
        `There is nothing to resume: ${statePath} does not exist. Without --resume a new import begins.`,
      )
    }
    return freshState(importId, of)
  }
  if (!resume) {
    throw new UsageInvalidError(
      `An import of ${name} was interrupted after line ${grouped(found.confirmed.line)}. Go on with the same command and --resume, or begin anew with --restart.`,
      { state: statePath, importId: found.importId },
    )
  }
  if (found.source.fingerprint !== of.fingerprint) {
    throw new UsageInvalidError(
      `${name} is not the file the interrupted import read (it has ${grouped(of.bytes)} bytes, then ${grouped(found.source.bytes)}). Bring the old file back, or begin anew with --restart.`,
    )
  }
  if (found.source.reading !== reading) {
    throw new UsageInvalidError(
      '--format, --map and --delimiter must be those of the interrupted import, or lines would be numbered anew.',
    )
  }
  if (importId !== undefined && importId !== found.importId) {
    throw new UsageInvalidError(
      `The interrupted import has the id ${found.importId}; leave --import-id out to resume it.`,
    )
  }
  return found
}

const freshState = (importId: string | undefined, source: ImportState['source']): ImportState => ({
  kind: 'rollcall-import',
  importId: importId ?? uuidv7(),
  source,
  confirmed: { line: 0, byte: 0 },
  usersAnswered: 0,
  created: 0,
  unchanged: 0,
  failed: 0,
  errorFileBytes: 0,
  startedAt: new Date().toISOString(),
})

const handled = (state: ImportState) => state.created + state.unchanged + state.failed

function summaryOf(
  start: ImportState,
  state: ImportState,
  seconds: number,
  complete: boolean,
  errors: string | undefined,
) {
  const { importId, created, unchanged, failed } = state
  const inThisRun = handled(state) - handled(start)
  const linesPerSecond = seconds > 0 ? Math.round(inThisRun / seconds) : 0
  return {
    importId,
    complete,
    created,
    unchanged,
    failed,
    seconds: Number(seconds.toFixed(1)),
    linesPerSecond,
    errors: errors ?? null,
  }
}

function spokenSummary(summary: ReturnType<typeof summaryOf>, cwd: string): string {
  const { created, unchanged, failed, seconds, linesPerSecond, errors } = summary
  const counts = `${grouped(created)} created, ${grouped(unchanged)} unchanged, ${grouped(failed)} failed`
  const speed = `${seconds.toFixed(1)} s, ${grouped(linesPerSecond)} lines/s`
  const where = errors === null ? '' : `\n${counted(failed, 'failed line')} in ${relative(cwd, errors) || errors}`
  return `${summary.complete ? '' : 'Not finished: '}${counts} (${speed})${where}`
}

function withAdvice(error: unknown, file: string | undefined, state: ImportState): unknown {
  if (!(error instanceof ImportGivenUpError || error instanceof CommandInterruptedError)) return error
  const advice =
    file === undefined
      ? `Send the same input again with --import-id ${state.importId}; the registry skips what it has.`
      : `${counted(handled(state), 'line')} are confirmed; go on with: rollcall users import ${file} --resume`
  error.message = `${error.message} ${advice}`
  return error
}
