import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning, type ProcessIdentity, signalIfRunning } from './process-identity.js'

const SUFFIX = '.pid.json'
const TERM_GRACE_MS = 3_000
const KILL_GRACE_MS = 5_000

/** Leaves a note on disk of a child that runs, so that the next start can end it when this process is killed. */
export function writePidFile(directory: string, name: string, identity: ProcessIdentity): void {
  writeFileSync(join(directory, `${name}${SUFFIX}`), `${JSON.stringify(identity)}\n`)
}

export function removePidFile(directory: string, name: string): void {
  rmSync(join(directory, `${name}${SUFFIX}`), { force: true })
}

/**
 * Ends every child that an earlier, killed parent left behind, and removes the notes.
 *
 * A process is touched only when its command line still holds its marker.
 * @returns the names of the processes that were ended.
 */
export async function sweepPidFiles(directory: string): Promise<string[]> {
  if (!existsSync(directory)) return []
  const leftOver: { name: string; identity: ProcessIdentity }[] = []
  for (const file of readdirSync(directory).filter((name) => name.endsWith(SUFFIX))) {
    const identity = readIdentity(join(directory, file))
    if (identity && isRunning(identity)) leftOver.push({ name: file.slice(0, -SUFFIX.length), identity })
  }
  const identities = leftOver.map(({ identity }) => identity)
  await endAll(identities)
  for (const file of readdirSync(directory).filter((name) => name.endsWith(SUFFIX))) rmSync(join(directory, file))
  return leftOver.map(({ name }) => name)
}

/** SIGINT, which Postgres takes as "fast" and the JVM as SIGTERM; after three seconds SIGKILL. */
export async function endAll(identities: readonly ProcessIdentity[]): Promise<void> {
  for (const identity of identities) signalIfRunning(identity, 'SIGINT')
  if (await goneWithin(identities, TERM_GRACE_MS)) return
  for (const identity of identities) signalIfRunning(identity, 'SIGKILL')
  await goneWithin(identities, KILL_GRACE_MS)
}

async function goneWithin(identities: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (identities.some(isRunning)) {
    if (Date.now() > deadline) return false
    await sleep(25)
  }
  return true
}

function readIdentity(path: string): ProcessIdentity | undefined {
  try {
    const { pid, marker } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessIdentity>
    return typeof pid === 'number' && typeof marker === 'string' && marker !== '' ? { pid, marker } : undefined
  } catch {
    return undefined
  }
}
