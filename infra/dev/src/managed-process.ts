import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cureFor, lastErrorIn } from './last-error.js'
import { removePidFile, writePidFile } from './pid-file.js'
import { assertPortFree } from './ports.js'
import type { ProcessIdentity } from './process-identity.js'
import { ProcessNotStartedError } from './stack-errors.js'
import { unwatch, watch } from './watchdog.js'

export interface ProcessSpec {
  /** Shown to people and used in file names: `postgres`, `kafka-1`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
  /** Piece of the command line that no other process has: the data directory. */
  readonly marker: string
  readonly pidDir: string
  readonly logFile: string
  /** Ports that must be free before the start, each with the environment variable that moves it. */
  readonly ports: readonly { readonly port: number; readonly variable: string }[]
  /** Asked every 25 ms until it answers true. */
  readonly isReady: () => Promise<boolean>
  /** What it still lacks after the start before it does its work; undefined for nothing. @default whether `isReady` */
  readonly whyNotReady?: () => Promise<string | undefined>
  /** Last lines of the log of an attempt that died: true when the same start is worth another attempt. */
  readonly isTransientFailure?: (logTail: string) => boolean
  /** @default 'SIGTERM' */
  readonly stopSignal?: NodeJS.Signals
  /** @default 60_000 */
  readonly readyTimeoutMs?: number
}

/** One child process that can be killed, restarted and stopped. */
export interface ManagedProcess {
  readonly name: string
  readonly logFile: string
  /** Undefined while the process is down. */
  readonly pid: number | undefined
  /** From `start` until `stop`, also while it is down in between. */
  readonly isWanted: boolean
  /** Starts it if it is down and waits until it is ready. @throws PortTakenError, ProcessNotStartedError */
  start(): Promise<void>
  /** What it lacks before it does its work; undefined when it is ready. A service that answers may still wait for others. */
  whyNotReady(): Promise<string | undefined>
  /** Sends a signal and resolves when the process is gone; for signals that do not end it, use `signal`. */
  kill(signal?: NodeJS.Signals): Promise<void>
  signal(signal: NodeJS.Signals): void
  restart(): Promise<void>
  /** Ends it in order; after ten seconds by force. */
  stop(): Promise<void>
  /** Called on every exit, also an ordered one. */
  onExit(
    listener: (exit: {
      readonly code: number | null
      readonly signal: NodeJS.Signals | null
      readonly ordered: boolean
    }) => void,
  ): void
}

const READY_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 10_000
const POLL_MS = 25
const PORT_PATIENCE_MS = 5_000
const LONGEST_LOG_BYTES = 16_777_216
const TRANSIENT_ATTEMPTS = 20

/** A child process that never outlives this one: noted on disk, known to the watchdog, output in a log file. */
export function manageProcess(spec: ProcessSpec): ManagedProcess {
  let child: ChildProcess | undefined
  let exited: Promise<void> = Promise.resolve()
  let ordered = false
  let isWanted = false
  let startedBefore = false
  let starting: Promise<void> | undefined
  const listeners: Parameters<ManagedProcess['onExit']>[0][] = []

  function spawnChild(): void {
    mkdirSync(dirname(spec.logFile), { recursive: true })
    mkdirSync(spec.pidDir, { recursive: true })
    const log = openSync(spec.logFile, 'a')
    const running = spawn(spec.command, spec.args, {
      detached: true, // its own process group: Ctrl-C reaches the parent only, which stops children in order
      stdio: ['ignore', log, log],
      env: { ...process.env, ...spec.env },
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      ...(spec.uid === undefined ? {} : { uid: spec.uid }),
      ...(spec.gid === undefined ? {} : { gid: spec.gid }),
    })
    closeSync(log)
    child = running
    const identity: ProcessIdentity | undefined =
      running.pid === undefined ? undefined : { pid: running.pid, marker: spec.marker }
    if (identity) {
      writePidFile(spec.pidDir, spec.name, identity)
      watch(identity)
    }
    exited = new Promise((resolve) => {
      const gone = (code: number | null, signal: NodeJS.Signals | null) => {
        if (child === running) child = undefined
        if (identity) {
          unwatch(identity)
          removePidFile(spec.pidDir, spec.name)
        }
        resolve()
        for (const listener of listeners) listener({ code, signal, ordered })
      }
      running.once('exit', gone)
      running.once('error', () => gone(null, null))
    })
  }

  async function startOnce(): Promise<void> {
    ordered = false
    for (let attempt = 1; ; attempt++) {
      await portsFree()
      if (ordered) throw stoppedMeanwhile(spec)
      const logStart = rotate(spec.logFile)
      const startedAt = Date.now()
      spawnChild()
      while (child !== undefined) {
        if (await spec.isReady()) {
          if (child === undefined) break // answered and died
          return
        }
        if (Date.now() - startedAt > (spec.readyTimeoutMs ?? READY_TIMEOUT_MS)) {
          ordered = true
          await managed.kill('SIGKILL')
          throw notStarted(spec, `was not ready after ${Math.round((Date.now() - startedAt) / 1000)} s`, logStart)
        }
        await sleep(POLL_MS)
      }
      if (ordered) throw stoppedMeanwhile(spec)
      if (!spec.isTransientFailure?.(tail(spec.logFile, logStart)) || attempt >= TRANSIENT_ATTEMPTS) {
        throw notStarted(spec, 'exited while starting', logStart)
      }
      await sleep(250)
    }
  }

  // A killed predecessor's port can stay bound for a moment by what it had forked; a stranger's stays taken.
  async function portsFree(): Promise<void> {
    const deadline = Date.now() + (startedBefore ? PORT_PATIENCE_MS : 0)
    for (const { port, variable } of spec.ports) {
      for (;;) {
        try {
          await assertPortFree(port, spec.name, variable)
          break
        } catch (error) {
          if (Date.now() >= deadline) throw error
          await sleep(100)
        }
      }
    }
    startedBefore = true
  }

  const managed: ManagedProcess = {
    name: spec.name,
    logFile: spec.logFile,
    get pid() {
      return child?.pid
    },
    get isWanted() {
      return isWanted
    },
    async start() {
      isWanted = true
      if (child && !starting) return
      starting ??= startOnce().finally(() => {
        starting = undefined
      })
      await starting
    },
    async whyNotReady() {
      if (child === undefined) return 'it is not running'
      if (spec.whyNotReady) return spec.whyNotReady()
      return (await spec.isReady()) ? undefined : 'it does not answer'
    },
    signal(signal) {
      child?.kill(signal)
    },
    async kill(signal = 'SIGKILL') {
      child?.kill(signal)
      await exited
    },
    async restart() {
      await managed.stop()
      await managed.start()
    },
    async stop() {
      const running = child
      isWanted = false
      ordered = true
      if (!running) return
      running.kill(spec.stopSignal ?? 'SIGTERM')
      const force = setTimeout(() => running.kill('SIGKILL'), STOP_GRACE_MS)
      await exited
      clearTimeout(force)
    },
    onExit(listener) {
      listeners.push(listener)
    },
  }
  return managed
}

/** Last lines of a log file, at most 4 KB, from a byte position on. */
export function tail(path: string, from = 0): string {
  try {
    return readFileSync(path).subarray(from).subarray(-4_096).toString().trimEnd().split('\n').slice(-12).join('\n')
  } catch {
    return ''
  }
}

function notStarted({ name, logFile }: ProcessSpec, what: string, from: number): ProcessNotStartedError {
  const lines = tail(logFile, from)
  const quoted = lines ? ` Its last lines:\n${lines.replaceAll(/^/gm, '    ')}` : ' It wrote nothing.'
  const cure = cureFor(lastErrorIn(logFile, from))
  return new ProcessNotStartedError(`${name} ${what}; see ${logFile}.${quoted}${cure ? `\n${cure}` : ''}`, {
    name,
    logFile,
  })
}

const stoppedMeanwhile = ({ name, logFile }: ProcessSpec) =>
  new ProcessNotStartedError(`${name} was stopped while it was starting.`, { name, logFile })

// A log that has grown large is set aside, once: two of them are the most there can be.
function rotate(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= LONGEST_LOG_BYTES) return size
  renameSync(path, `${path}.1`)
  return 0
}
