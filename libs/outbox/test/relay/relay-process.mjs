// A relay in a process of its own that kills itself, as SIGKILL from outside would, right after Kafka "acknowledged".
import { appendFileSync } from 'node:fs'
import { decodeRecordBody } from '@rollcall/kafka'
import { createLogger, createMetrics } from '@rollcall/observability'
import { createRelay } from '@rollcall/outbox'

const [databaseUrl, log, killAfterSends] = process.argv.slice(2)
let sends = 0

const kafka = {
  producer: () => ({
    connect: async () => {},
    close: async () => {},
    partitionCount: async () => 4,
    async send(_topic, records) {
      const lines = records.map(({ body }) => {
        const { key, headers } = decodeRecordBody(body)
        return `${key}@${headers.ce_sequence}\n`
      })
      appendFileSync(log, lines.join(''))
      if (++sends === Number(killAfterSends)) process.kill(process.pid, 'SIGKILL')
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
