import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, parse, resolve } from 'node:path'
import { cacheKey } from './cache.js'

const PREFIX = 'rollcall-data-'

/**
 * Lets the account under which root runs Postgres pass through a directory of ours; what is inside stays as it is.
 * Temporary directories are made closed, and a closed one would send the data elsewhere.
 */
export function allowPassage(directory: string): void {
  if (process.getuid?.() !== 0) return
  const mode = statSync(directory).mode
  if ((mode & 0o001) === 0) chmodSync(directory, (mode & 0o7777) | 0o011)
}

/** True when every account may enter the path and all that stands above it. */
export function isWorldReachable(path: string): boolean {
  for (let current = resolve(path); ; current = dirname(current)) {
    if ((statSync(current).mode & 0o001) === 0) return false
    if (current === parse(current).root) return true
  }
}

/**
 * The data directory itself, or, below a closed directory such as root's home, another one with a link to it.
 *
 * Places whose link is gone were thrown away with their data directory; they are removed here.
 */
export function reachablePlace(dataDir: string): string {
  allowPassage(dataDir)
  const base = existsSync('/var/tmp') ? '/var/tmp' : tmpdir() // /var/tmp outlives a reboot
  removeOrphans(base)
  if (isWorldReachable(dataDir)) return dataDir
  const link = join(dataDir, 'moved-to')
  const place = join(base, `${PREFIX}${cacheKey(link)}`)
  // The link first: another start that finds a place without its link removes it.
  if (!linkExists(link)) symlinkSync(place, link)
  mkdirSync(place, { recursive: true, mode: 0o755 })
  writeFileSync(join(place, 'moved-from'), link)
  return place
}

function removeOrphans(base: string): void {
  for (const name of readdirSync(base).filter((entry) => entry.startsWith(PREFIX))) {
    const place = join(base, name)
    try {
      if (!linkExists(readFileSync(join(place, 'moved-from'), 'utf8'))) rmSync(place, { recursive: true, force: true })
    } catch {
      // Just being made or removed by another start.
    }
  }
}

const linkExists = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined
