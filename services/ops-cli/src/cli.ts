import type { Readable, Writable } from 'node:stream'
import { loadConfig } from '@rollcall/config'
import { RollcallError, toErrorFacts } from '@rollcall/errors'
import { Command, CommanderError } from 'commander'
import { z } from 'zod'
import type { Act, CommandContext, Outcome } from './command-context.js'
import { CommandInterruptedError } from './command-errors.js'
import { COMMANDS } from './commands/index.js'
import { ENDPOINT_NAMES, type EndpointName, type Endpoints, resolveEndpoints } from './endpoints.js'
import { createTerminal } from './terminal.js'

/** The process as the command line sees it; given, so that tests need no process of their own. */
export interface CliIo {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined }
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined }
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined }
  readonly cwd: string
  readonly signal: AbortSignal
  /** @default the environment of the process */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** 0: done. 1: failed, or something is wrong. 2: the command line was wrong and nothing was done. */
export type ExitCode = 0 | 1 | 2

/** Runs one command line, without the names of node and the script, and answers the exit code. Never throws. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  let outcome: Outcome = 'done'
  const act: Act = (action) => {
    const run = action as (context: CommandContext, ...args: unknown[]) => Promise<Outcome>
    return async (...given) => {
      const command = given.at(-1) as Command
      outcome = await run(openContext(command.optsWithGlobals(), io), ...given.slice(0, -1))
    }
  }
  const program = buildProgram(act, io)
  // Not commander's own: it would take the --version of a command for the program's, wherever it stands.
  if (args[0] === '--version') {
    io.stdout.write(`${VERSION}\n`)
    return 0
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return outcome === 'done' ? 0 : 1
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return report(error, program.opts<GlobalOptions>(), io)
  }
}

const VERSION = '0.1.0'

/** The whole command tree; `act` decides what running a command means. */
export function buildProgram(act: Act, io: Pick<CliIo, 'stdout' | 'stderr'>): Command {
  const program = new Command('rollcall')
    .description('Operates Rollcall: status, users in bulk, projections, topics and schemas.')
    .helpOption('-h, --help', 'show help')
    .option('--json', 'machine-readable results on stdout: one JSON document, or one a line for streams')
    .option('--endpoints <file>', 'addresses of the services (default: the nearest .rollcall/endpoints.json upwards)')
    .option('--verbose', 'show causes and stack traces of errors')
  for (const { spoken, flag, variable } of Object.values(ENDPOINT_NAMES)) {
    program.option(flag, `address of the ${spoken} (or ${variable})`)
  }
  program.addHelpText(
    'after',
    `
Exit codes: 0 done, 1 failed or something is wrong, 2 wrong usage.

Examples:
  rollcall status
  rollcall users generate --count 1000 --out people.csv
  rollcall users import people.csv
  rollcall projections list
  rollcall --version`,
  )

  const parents = new Map<string, Command>()
  for (const { noun, about, command } of COMMANDS) {
    if (noun === undefined) {
      program.addCommand(command(act).copyInheritedSettings(program))
      continue
    }
    const parent = parents.get(noun) ?? program.command(noun)
    if (about !== undefined) parent.description(about)
    parents.set(noun, parent)
    parent.addCommand(command(act).copyInheritedSettings(program))
  }
  for (const one of everyCommand(program)) {
    one.exitOverride()
    one.configureHelp({ showGlobalOptions: one !== program })
    one.showSuggestionAfterError()
    one.showHelpAfterError(`(rollcall${pathOf(one)} --help says more)`)
    one.configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
  }
  return program
}

interface GlobalOptions extends Endpoints {
  readonly json?: boolean
  readonly verbose?: boolean
  readonly endpoints?: string
}

const environment = z.object({
  NO_COLOR: z.string().optional(),
  ROLLCALL_ENDPOINTS: z.string().optional(),
  ...(Object.fromEntries(
    Object.values(ENDPOINT_NAMES).map(({ variable }) => [variable, z.string().optional()]),
  ) as Record<(typeof ENDPOINT_NAMES)[EndpointName]['variable'], z.ZodOptional<z.ZodString>>),
})

function openContext(options: GlobalOptions, io: CliIo): CommandContext {
  const env = io.env === undefined ? loadConfig(environment) : loadConfig(environment, io.env)
  const names = Object.keys(ENDPOINT_NAMES) as EndpointName[]
  const pick = (from: (name: EndpointName) => string | undefined): Endpoints =>
    Object.fromEntries(names.map((name) => [name, from(name)]))
  return {
    terminal: createTerminal({
      stdout: io.stdout,
      stderr: io.stderr,
      json: options.json === true,
      noColor: env.NO_COLOR,
    }),
    endpoints: resolveEndpoints({
      file: options.endpoints ?? env.ROLLCALL_ENDPOINTS,
      flags: pick((name) => options[name]),
      environment: pick((name) => env[ENDPOINT_NAMES[name].variable]),
      cwd: io.cwd,
    }),
    cwd: io.cwd,
    env: io.env,
    stdin: io.stdin,
    signal: io.signal,
    verbose: options.verbose === true,
  }
}

/** Says what went wrong on stderr: a sentence, or one JSON line under --json. */
function report(thrown: unknown, options: GlobalOptions, io: CliIo): ExitCode {
  const error = io.signal.aborted && !(thrown instanceof RollcallError) ? new CommandInterruptedError() : thrown
  const { code, message, facts, cause } = toErrorFacts(error)
  if (options.json === true) {
    io.stderr.write(`${JSON.stringify({ error: { code, message, facts, ...(options.verbose && { cause }) } })}\n`)
  } else {
    io.stderr.write(`rollcall: ${message}\n`)
    if (!(error instanceof RollcallError) && !options.verbose)
      io.stderr.write('(--verbose shows where this comes from)\n')
  }
  if (options.verbose === true) {
    let one = error as { readonly stack?: string; readonly cause?: unknown } | undefined
    for (let depth = 0; one?.stack !== undefined && depth < 8; one = one.cause as typeof one, depth++) {
      io.stderr.write(`${depth > 0 ? 'caused by ' : ''}${one.stack}\n`)
    }
  }
  return code !== undefined && USAGE_CODES.has(code) ? 2 : 1
}

const USAGE_CODES = new Set(['ERR_USAGE_INVALID', 'ERR_ENDPOINTS_MISSING', 'ERR_CONFIG_INVALID'])

function* everyCommand(command: Command): Generator<Command> {
  yield command
  for (const child of command.commands) yield* everyCommand(child)
}

const pathOf = (command: Command): string =>
  command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`
