import { createTestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { createKafka } from '@rollcall/kafka'
import { createTestTopic } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { type RelayTrialOptions, runRelayTrial } from '../../src/testing/index.js'

const brokers = testEndpoints().kafka
const kafka = createKafka(
  { KAFKA_BROKERS: brokers.split(',') },
  { logger: silentLogger, metrics: createMetrics('test') },
)

afterAll(() => kafka.close())

async function trial(of: Pick<RelayTrialOptions, 'fault' | 'at' | 'valueBytes' | 'aggregates' | 'options'>) {
  const database = await createTestDatabase({ migrations: [outboxMigrations] })
  try {
    const topic = await createTestTopic(kafka, { partitions: 3 })
    return await runRelayTrial({ pool: database.pool, databaseUrl: database.url, brokers, kafka, topic, ...of })
  } finally {
    await database.close()
  }
}

const flawless = { inversions: [], missing: [], repeats: 0 }

test.each([
  ['with a page in hand', 'relay.looked'],
  ['before its request is in the socket', 'relay.sending'],
  ['when Kafka has the records and nobody knows', 'relay.sent'],
  ['while it stores its position', 'relay.storing'],
] as const)(
  'a relay killed %s: the standby ships every message once and in order',
  async (_when, step) => {
    const verdict = await trial({ fault: 'SIGKILL', at: { step, nth: 3 } })
    expect(verdict).toMatchObject({ ...flawless, records: verdict.messages })
    expect(verdict.epoch).toBeGreaterThan(1)
  },
  240_000,
)

test.each([
  ['with a page in hand', 'relay.looked'],
  ['before its request is in the socket', 'relay.sending'],
  ['when Kafka has the records and it does not know', 'relay.sent'],
  ['while it stores its position', 'relay.storing'],
] as const)(
  'a relay that slept %s while another took over brings nothing into the topic when it wakes',
  async (_when, step) => {
    const verdict = await trial({ fault: 'SIGSTOP', at: { step, nth: 3 } })
    expect(verdict).toMatchObject({ ...flawless, records: verdict.messages })
    expect(verdict.epoch).toBeGreaterThan(1)
  },
  240_000,
)

test.each([0, 4])(
  'a relay that slept %i ms into a send of megabytes: no version stands before a lower one',
  async (afterMs) => {
    const verdict = await trial({ fault: 'SIGSTOP', at: { afterMs }, aggregates: 40, valueBytes: 10_000 })
    expect(verdict).toMatchObject(flawless)
  },
  240_000,
)
