import type { KafkaClient } from './client.js'
import type { KafkaConfig } from './config.js'

export interface KafkaLogger {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface KafkaTools {
  readonly logger: KafkaLogger
  readonly metrics: unknown
}

export function createKafka(_config: KafkaConfig, _tools: KafkaTools): KafkaClient {
  throw new Error('not built yet')
}
