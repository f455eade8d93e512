import { RollcallError } from '@rollcall/errors'

/** Runs a process's start; a failure is one clear line on standard error and exit code 1. */
export async function runMain(start: () => Promise<void>): Promise<void> {
  try {
    await start()
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return
    const { message } = error as Error
    const code = error instanceof RollcallError ? `${error.code}: ` : ''
    process.stderr.write(`${code}${message ?? String(error)}\n`)
    process.exit(1)
  }
}
