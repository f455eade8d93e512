import { durationMs, loadConfig, loopbackHost, port } from '@rollcall/config'
import { kafkaFields } from '@rollcall/kafka'
import { z } from 'zod'

const shape = z.object({
  HOST: loopbackHost().default('127.0.0.1'),
  PORT: port().default(7410),
  DATABASE_URL: z.url({ protocol: /^postgres(?:ql)?$/, error: 'expected postgresql://user@host:port/database' }),
  ...kafkaFields,
  SCHEMA_REGISTRY_URL: z.url({
    error: 'expected the base address of the Confluent API, such as http://…/apis/ccompat/v7',
  }),
  /** The user registry: asked for events that a version gap lacks, and compared with. Without it a gap waits for an operator. */
  REGISTRY_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** What Kafka and the roll call know it by. A second directory, with a database of its own, needs another name. */
  SERVICE_NAME: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/, 'expected lower case letters, digits and "-", beginning with a letter')
    .default('directory'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Tracing is off without it. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  /** How long a read with `atLeast` waits at most when it does not say. */
  AT_LEAST_WAIT_MS: durationMs({ max: 10_000 }).default(2_000),
})

/** @throws ConfigInvalidError */
export const loadDirectoryConfig = () => loadConfig(shape)
