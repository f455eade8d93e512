import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ConditionNotMetError } from '../e2e-errors.js'
import type { ServiceProcess } from '../stack/service-process.js'
import { until } from '../stack/until.js'

const preload = new URL('preload/crash-preload.js', import.meta.url).href

/** What a service needs in its environment to be killed at a step; the file says which. */
export const armingEnv = (file: string) => ({ ROLLCALL_CHAOS_ARMING: file, NODE_OPTIONS: `--import ${preload}` })

/** A service that can be ended or stopped when it comes to a step. */
export interface ArmedProcess {
  readonly name: string
  readonly process: ServiceProcess
  /** From the next start on, and at once when it runs: the signal comes on this passing of the step. */
  arm(step: string, pass: number, signal?: 'SIGKILL' | 'SIGSTOP'): void
  disarm(): void
  /** True when the step was reached and the signal sent. */
  readonly hasFired: boolean
  /** Resolves when the process is down; kills it when it has not come to its step after a while. */
  downOrKilled(withinMs: number): Promise<'at the step' | 'at a random moment'>
}

export function armedProcess(process: ServiceProcess, file: string): ArmedProcess {
  const fired = `${file}.fired`
  return {
    name: process.name,
    process,
    arm(step, pass, signal = 'SIGKILL') {
      rmSync(fired, { force: true })
      writeFileSync(file, JSON.stringify({ step, pass, signal }))
      process.signal('SIGWINCH')
    },
    disarm() {
      rmSync(file, { force: true })
      process.signal('SIGWINCH')
    },
    get hasFired() {
      return existsSync(fired)
    },
    async downOrKilled(withinMs) {
      const isDown = () => process.pid === undefined
      await until({ what: `${process.name} is down`, timeoutMs: withinMs, pollMs: 10 }, isDown).catch((error) => {
        if (!(error instanceof ConditionNotMetError)) throw error
      })
      if (isDown() && existsSync(fired)) return 'at the step'
      rmSync(file, { force: true })
      await process.kill('SIGKILL')
      return existsSync(fired) ? 'at the step' : 'at a random moment'
    },
  }
}

/** The path of a compiled file of the chaos suite, for processes that load it. */
export const chaosFile = (path: string) => fileURLToPath(new URL(path, import.meta.url))
