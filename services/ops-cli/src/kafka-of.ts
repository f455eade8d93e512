import { loadConfig } from '@rollcall/config'
import { createKafka, type KafkaClient, kafkaFields } from '@rollcall/kafka'
import { createLogger, createMetrics } from '@rollcall/observability'
import { z } from 'zod'
import type { CommandContext } from './command-context.js'
import { address } from './endpoints.js'

// The brokers come from the endpoints; how to speak to them (TLS, SASL) from the environment, as in every service.
const { KAFKA_BROKERS: _, ...connection } = kafkaFields
const environment = z.object(connection)

/** Connects to Kafka for the length of `work`; the client's own log lines are shown under --verbose only. */
export async function withKafka<T>(context: CommandContext, work: (kafka: KafkaClient) => Promise<T>): Promise<T> {
  const brokers = address(context.endpoints, 'kafka').split(',')
  const logger = createLogger({
    service: 'rollcall',
    level: context.verbose ? 'info' : 'silent',
    destination: { write: (line) => context.terminal.note(line.trimEnd()) },
  })
  const kafka = createKafka(
    { ...loadConfig(environment, context.env), KAFKA_BROKERS: brokers },
    { logger, metrics: createMetrics('rollcall') },
  )
  try {
    return await work(kafka)
  } finally {
    await kafka.close().catch(() => {})
  }
}
