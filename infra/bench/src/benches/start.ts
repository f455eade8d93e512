import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '@rollcall/dev'
import type { Bench } from '../bench.js'
import { median } from '../measure.js'

const START = fileURLToPath(new URL('../../../dev/bin/start.mjs', import.meta.url))
const READY = /Rollcall is ready after/
const PORTS = ['REGISTRY', 'RELAY', 'DIRECTORY', 'POSTGRES', 'KAFKA', 'KAFKA_CONTROLLER', 'SCHEMA_REGISTRY']

export const start: Bench = {
  name: 'start',
  about: 'npm start to its table, with the data of an earlier start',
  async run({ rounds, log }) {
    const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-bench-start-'))
    const env = { ...process.env, ROLLCALL_STATE_DIR: stateDir, ...(await freePorts()) }
    try {
      log(`first start, not counted: ${(await startOnce(env)).toFixed(1)} s`)
      const seconds: number[] = []
      for (let round = 0; round < Math.min(rounds, 5); round++) {
        seconds.push(await startOnce(env))
        log(`${seconds.at(-1)?.toFixed(1)} s`)
      }
      const value = median(seconds)
      return [{ bench: 'start', value, unit: 's', against: 'absolute', ask: { text: '<= 12 s', holds: value <= 12 } }]
    } finally {
      await rm(stateDir, { recursive: true, force: true })
    }
  },
}

async function freePorts(): Promise<Record<string, string>> {
  const ports: Record<string, string> = {}
  // One after the other could answer the same port twice.
  while (new Set(Object.values(ports)).size < PORTS.length) {
    for (const name of PORTS) ports[`ROLLCALL_${name}_PORT`] = String(await findFreePort())
  }
  return ports
}

/** Seconds from the process's birth to the table; then stops it as Ctrl-C does and waits for its end. */
async function startOnce(env: NodeJS.ProcessEnv): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [START], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let output = ''
  try {
    return await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready after 180 s:\n${output}`)), 180_000)
      const read = (chunk: Buffer) => {
        output += chunk.toString()
        if (!READY.test(output)) return
        clearTimeout(timer)
        resolve((performance.now() - startedAt) / 1_000)
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      void ended.then((code) => reject(new Error(`ended with ${code}:\n${output}`)))
    })
  } finally {
    child.kill('SIGINT')
    await ended
  }
}
