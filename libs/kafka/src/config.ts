import { readFileSync } from 'node:fs'
import { booleanText, listOf } from '@rollcall/config'
import { z } from 'zod'

/** The environment variables of a Kafka connection, to be spread into a service's own config shape. */
export const kafkaFields = {
  /** host:port, comma-separated; any of them leads to the whole cluster. */
  KAFKA_BROKERS: listOf(),
  KAFKA_CLIENT_ID: z.string().min(1).optional(),
  KAFKA_SSL: booleanText().default(false),
  /** Path of a PEM file with the authorities to trust; the system's own when absent. */
  KAFKA_SSL_CA: pemFile().optional(),
  /** Paths of the PEM files of a client certificate and its key; both or neither. */
  KAFKA_SSL_CERT: pemFile().optional(),
  KAFKA_SSL_KEY: pemFile().optional(),
  KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  KAFKA_SASL_USERNAME: z.string().min(1).optional(),
  KAFKA_SASL_PASSWORD: z.string().min(1).optional(),
}

/** What `createKafka` needs; any config whose shape includes `kafkaFields`. The `KAFKA_SSL_*` values are the files' contents. */
export type KafkaConfig = Pick<z.output<z.ZodObject<typeof kafkaFields>>, 'KAFKA_BROKERS'> &
  Partial<z.output<z.ZodObject<typeof kafkaFields>>>

function pemFile() {
  return z.string().transform((path, context) => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message: `the file cannot be read (${(error as NodeJS.ErrnoException).code})`,
      })
      return z.NEVER
    }
  })
}
