import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RelayOptions } from '../relay/relay-options.js'

export interface RelayProcessSettings {
  readonly databaseUrl: string
  readonly brokers: string
  readonly name: string
  readonly options?: RelayOptions
  /** Ends or stops itself at the nth time it comes to this step; see `RELAY_STEPS`. */
  readonly at?: { readonly step: RelayStep; readonly nth: number; readonly signal: 'SIGKILL' | 'SIGSTOP' }
}

/** The places of the relay that have a name, in the order in which they are passed. */
export const RELAY_STEPS = [
  'relay.lead-taken',
  'relay.looked',
  'relay.sending',
  'relay.sent',
  'relay.storing',
  'relay.stored',
  'relay.fenced',
] as const
export type RelayStep = (typeof RELAY_STEPS)[number]

/** A relay in a process of its own. */
export interface RelayProcess {
  readonly process: ChildProcess
  /** Times it came to the step so far. */
  seen(step: RelayStep): number
  kill(signal: NodeJS.Signals): void
  /** Resolves once it is gone. */
  readonly gone: Promise<unknown>
  /** Ends it for good, however it stands. */
  close(): Promise<void>
}

/** Starts it; `onStep` hears its steps. It ends with its parent. */
export function spawnRelay(settings: RelayProcessSettings, onStep: (step: string) => void = () => {}): RelayProcess {
  const script = fileURLToPath(new URL('../../dist/testing/relay-process.js', import.meta.url))
  const child = spawn(process.execPath, [script, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const seen = new Map<string, number>()
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      seen.set(line, (seen.get(line) ?? 0) + 1)
      onStep(line)
    }
  })
  const gone = once(child, 'exit')
  return {
    process: child,
    seen: (step) => seen.get(step) ?? 0,
    kill: (signal) => void child.kill(signal),
    gone,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await gone
    },
  }
}
