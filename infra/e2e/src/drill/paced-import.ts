import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { RollcallError } from '@rollcall/errors'
import { entryPoints } from '../stack/repository.js'

export interface ImportSummary {
  readonly created: number
  readonly unchanged: number
  readonly failed: number
  readonly seconds: number
}

/** One `rollcall users import -` whose input is handed over piece by piece, so that it lasts as long as the drill. */
export interface PacedImport {
  /** Hands over the next lines of the file; fewer when it ends. Resolves when the command has taken them. */
  feed(lines: number): Promise<void>
  /** Hands over the rest and resolves with what the command says. @throws ImportFailedError */
  finish(): Promise<ImportSummary>
}

/** @param batch users in one request; small ones are on their way more often when something dies. */
export function startImport(csv: string, endpointsPath: string, batch = 2000): PacedImport {
  const command = spawn(
    process.execPath,
    [
      ...[
        entryPoints.rollcall,
        'users',
        'import',
        '-',
        '--format',
        'csv',
        '--batch',
        String(batch),
        '--give-up-after',
        '300',
      ],
      ...['--json', '--endpoints', endpointsPath],
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let out = ''
  let err = ''
  command.stdout.on('data', (chunk) => {
    out += chunk
  })
  command.stderr.on('data', (chunk) => {
    err = `${err}${chunk}`.slice(-4000)
  })
  // The command may end early; its exit code tells.
  command.stdin.on('error', () => {})
  const ended = once(command, 'close') as Promise<[number | null]>
  ended.catch(() => {})
  const lines = createInterface({ input: createReadStream(csv) })[Symbol.asyncIterator]()

  async function feed(count: number): Promise<void> {
    for (let fed = 0; fed < count; fed++) {
      const next = await lines.next()
      if (next.done) return
      if (!command.stdin.write(`${next.value}\n`)) {
        await Promise.race([once(command.stdin, 'drain'), ended])
      }
    }
  }
  return {
    feed,
    async finish() {
      await feed(Number.POSITIVE_INFINITY)
      command.stdin.end()
      const [code] = await ended
      if (code !== 0 && code !== 1) throw new ImportFailedError(code, err)
      try {
        return JSON.parse(out) as ImportSummary
      } catch (cause) {
        throw new ImportFailedError(code, err, cause)
      }
    },
  }
}

/** Writes a CSV of generated users with `rollcall users generate`. */
export async function generateCsv(path: string, count: number, seed: number): Promise<void> {
  const command = spawn(
    process.execPath,
    [entryPoints.rollcall, 'users', 'generate', '--count', String(count), '--seed', String(seed), '--out', path],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let err = ''
  command.stderr.on('data', (chunk) => {
    err += chunk
  })
  const [code] = (await once(command, 'close')) as [number | null]
  if (code !== 0) throw new ImportFailedError(code, err)
}

/** `ERR_IMPORT_FAILED`: the rollcall command did not do what it was asked; the message ends with what it said. */
export class ImportFailedError extends RollcallError {
  constructor(code: number | null, said: string, cause?: unknown) {
    super({
      code: 'ERR_IMPORT_FAILED',
      message: `The rollcall command ended with code ${code}: ${said.trim() || '(it said nothing)'}`,
      facts: { code },
      cause,
    })
  }
}
