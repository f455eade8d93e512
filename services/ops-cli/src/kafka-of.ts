import { createKafka, type KafkaClient } from '@rollcall/kafka'
import { createLogger, createMetrics } from '@rollcall/observability'
import type { CommandContext } from './command-context.js'
import { address } from './endpoints.js'

/** Connects to Kafka for the length of `work`; the client's own log lines are shown under --verbose only. */
export async function withKafka<T>(context: CommandContext, work: (kafka: KafkaClient) => Promise<T>): Promise<T> {
  const logger = createLogger({
    service: 'rollcall',
    level: context.verbose ? 'info' : 'silent',
    destination: { write: (line) => context.terminal.note(line.trimEnd()) },
  })
  const kafka = createKafka(
    { KAFKA_BROKERS: address(context.endpoints, 'kafka').split(',') },
    { logger, metrics: createMetrics('rollcall') },
  )
  try {
    return await work(kafka)
  } finally {
    await kafka.close().catch(() => {})
  }
}
