import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const STALE_MS = 900_000

/** Runs the work while no other process does the same: two starts at once must not install into one folder. */
export async function oneAtATime(lockFile, report, work) {
  mkdirSync(dirname(lockFile), { recursive: true })
  for (let waited = 0; !take(lockFile); waited++) {
    if (waited === 10) report(`waiting for process ${holder(lockFile)}, which installs or builds just now`)
    await sleep(100)
  }
  const release = () => rmSync(lockFile, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

function take(lockFile) {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  const pid = holder(lockFile)
  const ageMs = Date.now() - (statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  if ((pid > 0 && !isAlive(pid)) || ageMs > STALE_MS) rmSync(lockFile, { force: true })
  return false
}

function holder(lockFile) {
  try {
    return Number(readFileSync(lockFile, 'utf8'))
  } catch {
    return 0
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
