import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isRunning, type ProcessIdentity } from './process-identity.js'
import { StackLockedError } from './stack-errors.js'

/**
 * Takes a data directory for this process: the sweep of left-over children would otherwise end those of a living stack.
 *
 * @returns how to give it back. The lock of a dead process is taken over.
 * @throws StackLockedError when a living process holds it.
 */
export function lockStack(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true })
  const path = join(dataDir, 'lock')
  const own: ProcessIdentity = { pid: process.pid, marker: basename(process.argv[1] ?? 'node') }
  for (;;) {
    try {
      writeFileSync(path, `${JSON.stringify(own)}\n`, { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(path)
    if (holder && isRunning(holder)) throw new StackLockedError({ dataDir, pid: holder.pid })
    rmSync(path, { force: true })
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
  } catch {
    return undefined
  }
}
