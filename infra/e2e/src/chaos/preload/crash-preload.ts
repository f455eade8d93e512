// Loaded into a service by `node --import`: ends the process, or stops it, on the n-th passing of a named step.
//
// The arming lies in a file, so that it can be changed while the process runs (SIGWINCH reads it anew: nothing else listens to that one, and a process without a listener ignores it) and is spent once:
// the process that starts again lives.
import { subscribe } from 'node:diagnostics_channel'
import { readFileSync, renameSync } from 'node:fs'

interface Arming {
  readonly step: string
  readonly signal: NodeJS.Signals
  pass: number
}

const file = process.env.ROLLCALL_CHAOS_ARMING
let armed: Arming | undefined

if (file !== undefined) {
  arm()
  process.on('SIGWINCH', arm)
  subscribe('rollcall.step', (name) => {
    if (armed === undefined || name !== armed.step || --armed.pass > 0) return
    const { signal } = armed
    armed = undefined
    renameSync(file, `${file}.fired`)
    process.kill(process.pid, signal)
  })
}

function arm(): void {
  try {
    armed = JSON.parse(readFileSync(file as string, 'utf8')) as Arming
  } catch {
    armed = undefined
  }
}
