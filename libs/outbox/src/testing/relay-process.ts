// A relay in a process of its own, started by spawn-relay.ts. It tells its steps on standard output, a line each, and ends
// itself at one as SIGKILL from outside would, or stops there as SIGSTOP would.
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { createKafka } from '@rollcall/kafka'
import { createLogger, createMetrics } from '@rollcall/observability'
import { createRelay } from '../relay/create-relay.js'
import type { RelayProcessSettings } from './spawn-relay.js'

const { databaseUrl, brokers, name, options, at } = JSON.parse(process.argv[2] as string) as RelayProcessSettings
let seen = 0

subscribe('rollcall.step', (step) => {
  // Synchronous, and then the signal: nothing runs between the step and the stop.
  writeSync(1, `${step}\n`)
  if (at === undefined || step !== at.step || ++seen !== at.nth) return
  process.kill(process.pid, at.signal)
})

const logger = createLogger({ service: 'relay', level: 'silent' })
const metrics = createMetrics('relay')
const kafka = createKafka({ KAFKA_BROKERS: brokers.split(',') }, { logger, metrics })
const relay = createRelay({ databaseUrl, kafka, logger, metrics, instance: name, ...(options && { options }) })
relay.start()
const stop = async () => {
  await relay.stop()
  await kafka.close()
  process.exit(0)
}
process.on('SIGTERM', stop)
// The parent is gone.
process.stdin.on('end', () => process.exit(1)).resume()
await relay.finished
