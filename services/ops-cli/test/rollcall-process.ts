import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { runCli } from '../src/cli.js'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd?: string
  readonly stdin?: string | Readable
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Called with each piece of stdout. */
  readonly onOutput?: (text: string) => void
}

/** Runs a command line in this process, without the environment of this process. */
export async function rollcall(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd = '/', stdin = '', env = {}, signal = new AbortController().signal } = options
  const stdout = collector(options.onOutput)
  const stderr = collector()
  const code = await runCli(args, {
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    stdout,
    stderr,
    cwd,
    signal,
    env,
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** Starts the installed command as a process of its own. */
export function spawnRollcall(args: readonly string[], cwd = '/'): ChildProcess {
  const { ROLLCALL_REGISTRY: _, ...env } = process.env
  return spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { ...env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs the installed command to its end. */
export async function runRollcall(args: readonly string[], cwd?: string): Promise<CliResult> {
  const child = spawnRollcall(args, cwd)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr?.on('data', (chunk) => {
    stderr += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, stdout, stderr }
}

const BIN = fileURLToPath(new URL('../bin/rollcall.mjs', import.meta.url))

function collector(onOutput?: (text: string) => void): Writable & { text(): string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      onOutput?.(chunk.toString('utf8'))
      done()
    },
  })
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString('utf8') })
}
