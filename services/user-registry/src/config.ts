import { durationMs, loadConfig, loopbackHost, port } from '@rollcall/config'
import { kafkaFields } from '@rollcall/kafka'
import { z } from 'zod'

const common = {
  HOST: loopbackHost().default('127.0.0.1'),
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/, error: 'expected postgresql://user@host:port/database' }),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Tracing is off without it. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
}

const registryShape = z.object({
  ...common,
  PORT: port().default(7400),
  SCHEMA_REGISTRY_URL: z.url({
    error: 'expected the base address of the Confluent API, such as http://…/apis/ccompat/v7',
  }),
  /** For the roll call only: writes need no Kafka. */
  ...kafkaFields,
  DATABASE_POOL: z.coerce.number().int().min(1).max(500).default(20),
  /** How long a deleted user can be restored. */
  DELETE_GRACE_PERIOD_MS: durationMs({ min: 0, max: 10 * 365 * 86_400_000 }).default(30 * 86_400_000),
  IDEMPOTENCY_KEEP_MS: durationMs({ min: 60_000, max: 90 * 86_400_000 }).default(86_400_000),
})

const relayShape = z.object({
  ...common,
  PORT: port().default(7401),
  ...kafkaFields,
  /** How long shipped events stay in the archive that history reads. */
  OUTBOX_KEEP_MS: durationMs({ min: 0, max: 10 * 365 * 86_400_000 }).default(30 * 86_400_000),
})

/** @throws ConfigInvalidError */
export const loadRegistryConfig = () => loadConfig(registryShape)

/** @throws ConfigInvalidError */
export const loadRelayConfig = () => loadConfig(relayShape)
