import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ProcessIdentity } from './process-identity.js'

let watchdog: ChildProcess | undefined

/**
 * Tells the watchdog process about a child. When this process dies in any way, also by SIGKILL, the watchdog's standard
 * input closes and it ends every child it still knows.
 */
export function watch(identity: ProcessIdentity): void {
  tell({ watch: identity })
}

/** Tells the watchdog that a child has exited and its id may be reused. */
export function unwatch(identity: ProcessIdentity): void {
  if (watchdog) tell({ unwatch: identity })
}

function tell(message: object): void {
  watchdog ??= startWatchdog()
  watchdog.stdin?.write(`${JSON.stringify(message)}\n`)
}

function startWatchdog(): ChildProcess {
  // Through dist also when the caller runs from src (tests): the watchdog is a plain node process. Detached: a Ctrl-C in
  // the terminal must reach the parent only, which then stops things in order.
  const main = fileURLToPath(new URL('../dist/watchdog-main.js', import.meta.url))
  const child = spawn(process.execPath, ['--max-old-space-size=16', main], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
    cwd: '/',
  })
  child.unref()
  const stdin = child.stdin as typeof child.stdin & { unref?(): void }
  stdin?.unref?.()
  const forget = () => {
    if (watchdog === child) watchdog = undefined
  }
  // Killed by someone: pid files remain as the second net, and the next child gets a new watchdog.
  stdin?.on('error', forget)
  child.on('error', forget)
  child.on('exit', forget)
  return child
}
