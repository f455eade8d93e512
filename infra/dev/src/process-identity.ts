import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process id, and a piece of its command line by which it is told from a stranger that got the same id later. */
export interface ProcessIdentity {
  readonly pid: number
  readonly marker: string
}

/** True while a process with this id runs and its command line holds the marker: ids are reused, a bare id proves nothing. */
export function isRunning({ pid, marker }: ProcessIdentity): boolean {
  return commandLine(pid).includes(marker)
}

/** Sends a signal to the process if it is still the one meant; false when it is gone. */
export function signalIfRunning(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch {
    return false
  }
}

// A zombie has an empty command line on Linux and "<defunct>" elsewhere: gone, as far as we care.
function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    if (process.platform === 'win32') {
      const query = `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CommandLine`
      return execFileSync('powershell', ['-NoProfile', '-Command', query], { encoding: 'utf8', stdio: 'pipe' })
    }
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' })
  } catch {
    return ''
  }
}
