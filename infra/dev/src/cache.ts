import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from './process-identity.js'

/** Where jars and class archives are kept for this user: `ROLLCALL_CACHE_DIR`, or the system's place for caches. */
export function cacheDirectory(): string {
  if (process.env.ROLLCALL_CACHE_DIR) return process.env.ROLLCALL_CACHE_DIR
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, 'rollcall')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'rollcall')
  return join(homedir(), '.cache', 'rollcall')
}

/** A short key from everything that must make a new cache entry when it changes. */
export function cacheKey(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 12)
}

/**
 * The directory `name` of the cache, filled once.
 *
 * `fill` writes into a temporary directory that is renamed when it is complete: a reader never sees half an entry, and a
 * process killed in between leaves only rubbish with another name. Processes that want the same entry wait for each other.
 */
export async function cachedDirectory(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const target = join(cacheDirectory(), name)
  if (existsSync(target)) return target
  return withLock(join(cacheDirectory(), `${name}.lock`), async () => {
    if (existsSync(target)) return target
    const temporary = mkdtempSync(join(cacheDirectory(), `.${name}-`))
    try {
      await fill(temporary)
      renameSync(temporary, target)
    } finally {
      rmSync(temporary, { recursive: true, force: true })
    }
    return target
  })
}

/** Runs one process at a time; the lock of a dead holder is taken over. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true })
  while (!tryLock(path)) await sleep(100)
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

function tryLock(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  try {
    const holder = Number(readFileSync(path, 'utf8'))
    // Between creation and writing the file is empty: then it is somebody's, not nobody's.
    if (holder > 0 && !isRunning({ pid: holder, marker: 'node' })) rmSync(path, { force: true })
  } catch {
    // Released in this very moment: the next attempt decides.
  }
  return false
}
