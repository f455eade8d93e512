import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { RollcallError } from '@rollcall/errors'
import { entryPoints } from './repository.js'

export interface RollcallAnswer<T> {
  readonly code: number
  readonly report: T
}

/**
 * Runs the command line against a stack, as an operator would, with `--json`.
 *
 * @throws CommandSilentError
 */
export async function rollcall<T>(endpointsPath: string, ...args: readonly string[]): Promise<RollcallAnswer<T>> {
  const line = [entryPoints.rollcall, ...args, '--json', '--endpoints', endpointsPath]
  const options = { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, NODE_OPTIONS: '' } }
  const { code, stdout, stderr } = await promisify(execFile)(process.execPath, line, options).then(
    (said) => ({ code: 0, ...said }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  try {
    return { code, report: JSON.parse(stdout) as T }
  } catch (cause) {
    throw new CommandSilentError(args, code, stderr, cause)
  }
}

/** `ERR_COMMAND_SILENT`: a rollcall command answered no JSON; the message ends with what it said instead. */
export class CommandSilentError extends RollcallError {
  constructor(args: readonly string[], code: number, said: string, cause: unknown) {
    super({
      code: 'ERR_COMMAND_SILENT',
      message: `rollcall ${args.join(' ')} ended with code ${code}: ${said.trim() || '(it said nothing)'}`,
      facts: { code },
      cause,
    })
  }
}
