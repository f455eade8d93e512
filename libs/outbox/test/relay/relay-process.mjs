// A relay in a process of its own that kills itself, as SIGKILL from outside would, just before or just after Kafka has
// the records of its third send.
import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeRecordBody } from '@rollcall/kafka'
import { createLogger, createMetrics } from '@rollcall/observability'
import { createRelay } from '@rollcall/outbox'

const [databaseUrl, log, killAt] = process.argv.slice(2)
let sends = 0

const kafka = {
  producer: () => ({
    connect: async () => {},
    close: async () => {},
    partitionCount: async () => 4,
    async send(_topic, records) {
      const last = ++sends === 3
      // Long enough for the position before this send to be stored: a position stored too far shows as a loss.
      if (last) await delay(40)
      if (last && killAt === 'before') process.kill(process.pid, 'SIGKILL')
      const lines = records.map(({ body }) => {
        const { key, headers } = decodeRecordBody(body)
        return `${key}@${headers.ce_sequence}\n`
      })
      appendFileSync(log, lines.join(''))
      if (last) process.kill(process.pid, 'SIGKILL')
    },
  }),
}

createRelay({
  databaseUrl,
  kafka,
  logger: createLogger({ service: 'relay', level: 'silent' }),
  metrics: createMetrics('relay'),
  options: { leaseMs: 200, standbyPollMs: 20, pageRows: 50, liveRows: 10, checkpointMs: 5, fallbackMs: 10 },
}).start()
