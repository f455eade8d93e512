import { randomUUID } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { encodeRecordBody } from '@rollcall/kafka'
import { appendToOutbox } from '../../src/append.js'
import { outboxMigrations } from '../../src/outbox-migrations.js'
import { countInOutbox } from '../../src/relay/count-in-outbox.js'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase({ migrations: [outboxMigrations] })
})
afterEach(() => database.close())

const body = (key: string, version: number) =>
  encodeRecordBody({ key, value: 'value', headers: { ce_sequence: String(version) } })

async function append(key: string, versions: number, aggregateId = key): Promise<Buffer[]> {
  const records = Array.from({ length: versions }, (_, index) => body(key, index + 1))
  const messages = records.map((record, index) => ({ aggregateId, version: index + 1, topic: 'subjects', record }))
  await appendToOutbox(database.pool, messages)
  return records
}

/** As if everything up to here were shipped and stored. */
const positionIsHere = () =>
  database.pool.query(
    'UPDATE outbox.relay SET snap = pg_current_snapshot(), last_id = (SELECT coalesce(max(id), 0) FROM outbox.message)',
  )

test('what stands behind the position is known, what was shipped before by its key, and a stranger by nothing', async () => {
  const before = await append(randomUUID(), 20)
  await positionIsHere()
  const behind = await append(randomUUID(), 20)
  const named = await append('orders/7', 1, randomUUID())
  const strangers = [body(randomUUID(), 1), body('orders/8', 1), body('', 1)]
  expect(await countInOutbox(database.pool, behind)).toBe(20)
  expect(await countInOutbox(database.pool, before)).toBe(20)
  expect(await countInOutbox(database.pool, named)).toBe(1)
  expect(await countInOutbox(database.pool, strangers)).toBe(0)
  expect(await countInOutbox(database.pool, [...strangers, ...before, ...named, ...behind, ...behind])).toBe(61)
})

test('in a back-log, whose snapshot stays where it began, the id says what is behind the position', async () => {
  await positionIsHere()
  await append(randomUUID(), 3_000)
  await database.pool.query('UPDATE outbox.relay SET upper = pg_current_snapshot(), last_id = 2500')
  const key = randomUUID()
  const later = await append(key, 5)
  const asked: string[] = []
  expect(await countInOutbox(told(asked), later)).toBe(5)
  expect(asked).toHaveLength(1)
})

test('however much is retained, what is kept is looked up by index', async () => {
  for (let user = 0; user < 100; user++) await append(randomUUID(), 30)
  await positionIsHere()
  const behind = await append(randomUUID(), 2)
  await database.pool.query('ANALYZE outbox.message')
  const asked: string[] = []
  await countInOutbox(told(asked), [...behind, body(randomUUID(), 1)])
  for (const plan of asked.slice(0, 2)) expect(plan).not.toMatch(/Seq Scan on message_0/)
  expect(asked).toHaveLength(3)
})

/** The database; notes the plan of each statement. */
function told(plans: string[]): Sql {
  return {
    async query(statement: never, values: never) {
      const { rows } = await database.pool.query(`EXPLAIN ${statement}`, values)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return database.pool.query(statement, values)
    },
  } as Sql
}
