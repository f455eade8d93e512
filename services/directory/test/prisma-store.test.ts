import { prismaAdapter } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { testEndpoints } from '@rollcall/dev'
import { cloudEventHeaders, createCodec, type User, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { history, userCreated, userUpdated } from '@rollcall/events/testing'
import { createKafka, encodeRecordBody } from '@rollcall/kafka'
import { createTestTopic } from '@rollcall/kafka/testing'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { prismaStore, projectionsWith, type RunningProjections, runProjections } from '@rollcall/projections'
import { noRow, projectionTest, row } from '@rollcall/projections/testing'
import { directoryMigrations } from '../src/directory-migrations.js'
import { type Prisma, PrismaClient } from '../src/generated/client.js'
import { people } from '../src/people/people-projection.js'

// The directory itself uses the `table` form. A team that writes its handlers with Prisma gets this far with the same library.
const metrics = createMetrics('test')
const kafka = createKafka({ KAFKA_BROKERS: testEndpoints().kafka.split(',') }, { logger: silentLogger, metrics })
const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })
const producer = kafka.producer()
let database: TestDatabase
let prisma: PrismaClient
let topic: string

beforeAll(async () => {
  await codec.ready()
  database = await createTestDatabase({ migrations: directoryMigrations })
  prisma = new PrismaClient({ adapter: prismaAdapter(database.pool) })
  topic = await createTestTopic(kafka, { partitions: 2 })
})

afterAll(async () => {
  await prisma?.$disconnect()
  await database?.close()
  await producer.close()
  await kafka.close()
})

const rowOf = (user: User) =>
  ({
    userId: user.id,
    ...camelCased(people.table.row(user, {} as UserLifecycleEvent) ?? {}),
  }) as Prisma.PersonCreateInput
const camelCased = (columns: object) =>
  Object.fromEntries(
    Object.entries(columns).map(([name, value]) => [name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), value]),
  )

const byPrisma = () =>
  projectionsWith<Prisma.TransactionClient>()({
    name: 'by-prisma',
    version: 1,
    topic: { ...userLifecycle, name: topic },
    on: {
      UserCreated: ({ user }, { tx }) => tx.person.create({ data: rowOf(user) }),
      UserUpdated: async ({ userId, user }, { tx }) => {
        await tx.person.update({ where: { userId }, data: rowOf(user) })
        if (user.userName === 'refused') throw new Error('a handler says no')
      },
      UserDeleted: ({ userId }, { tx }) => tx.person.deleteMany({ where: { userId } }),
    },
    reset: ({ tx }) => tx.person.deleteMany(),
  })

async function send(...events: readonly UserLifecycleEvent[]) {
  const records = events.map((event) => ({
    partition: Number.parseInt(event.userId.slice(-1), 16) % 2,
    timestampMs: Date.now(),
    body: encodeRecordBody({
      key: event.userId,
      value: codec.encode(event),
      headers: cloudEventHeaders(event, { source: '/test' }),
    }),
  }))
  await producer.send(topic, records)
}

const started: RunningProjections[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.close()))
})

async function run(projection = byPrisma()): Promise<RunningProjections> {
  const { pool } = database
  const inSchema = (schema: string) => new PrismaClient({ adapter: prismaAdapter(pool, schema) })
  const store = prismaStore<Prisma.TransactionClient>(prisma, { pool, inSchema })
  const running = runProjections([projection], {
    kafka,
    database: store,
    codec,
    logger: silentLogger,
    metrics,
    groupId: topic,
  })
  started.push(running)
  await running.start()
  return running
}

test('effects through Prisma, versions and checkpoint commit together; a rebuild replays them', async () => {
  const created = userCreated()
  const updated = userUpdated(created)
  const others = Array.from({ length: 5 }, () => history(3, {}))
    .flat()
    .filter(({ type }) => type === 'UserCreated')
  await send(created, ...others, updated)
  await send(created, updated)
  const running = await run()
  await running.waitFor(created.userId, 2, 15_000)
  for (const { userId } of others) await running.waitFor(userId, 1, 15_000)
  const before = await prisma.person.findMany({ orderBy: { userId: 'asc' } })
  expect(before).toHaveLength(6)
  expect(before.find(({ userId }) => userId === created.userId)).toMatchObject({
    version: 2n,
    phone: updated.user.phone,
  })

  await running.rebuild('by-prisma')
  await running.waitFor(created.userId, 2, 15_000)
  for (const { userId } of others) await running.waitFor(userId, 1, 15_000)
  expect(await prisma.person.findMany({ orderBy: { userId: 'asc' } })).toEqual(before)
})

test('handlers written with Prisma fill a side of their own, which is proven equal and put in place', async () => {
  const { reset: _, ...handlers } = byPrisma()
  const running = await run({ ...handlers, tables: ['person'] } as ReturnType<typeof byPrisma>)
  const [first] = await prisma.person.findMany({ orderBy: { userId: 'asc' } })
  const before = await prisma.person.findMany({ orderBy: { userId: 'asc' } })
  expect(first).toBeDefined()
  await running.rebuild('by-prisma')
  const deadline = Date.now() + 60_000
  const rebuild = async () => (await running.status())[0]?.rebuild
  while (!/done|failed|built/.test((await rebuild())?.phase ?? '') && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(await rebuild()).toMatchObject({ kind: 'shadow', phase: 'done', proof: { differing: 0 } })
  expect(await prisma.person.findMany({ orderBy: { userId: 'asc' } })).toEqual(before)
})

test('a handler that fails leaves nothing of its event, and everything before it', async () => {
  const created = userCreated()
  const fine = userUpdated(created)
  const refused = userUpdated(fine, { user: { userName: 'refused' } })
  await send(created, fine, refused)
  const running = await run()
  await running.waitFor(created.userId, 2, 15_000)
  await expect(running.waitFor(created.userId, 3, 300)).rejects.toMatchObject({ facts: { known: 2, behind: 1 } })
  expect(await prisma.person.findUnique({ where: { userId: created.userId } })).toMatchObject({ version: 2n })
  const letters = running.deadLetters('by-prisma')
  const { failures } = await letters.show(created.userId)
  expect(failures).toMatchObject([{ code: 'ERR_PROJECTION_HANDLER_FAILED', eventId: refused.eventId }])
  expect(await letters.whatIf(created.userId)).toMatchObject({ applied: 0, left: 1, rows: [] })
  expect(await letters.discard(created.userId, { reason: 'a test', actor: 'test' })).toEqual({ discarded: 1, left: 0 })
  await running.waitFor(created.userId, 3, 1_000)
})

test('the test kit runs handlers written with Prisma', async () => {
  const created = userCreated()
  const given = () => projectionTest({ projection: byPrisma(), store: prismaStore(prisma), sql: database.pool })
  await given()
    .when(created)
    .then(row('person', { user_id: created.userId, version: 1 }))
  // create() is no upsert: repeated under another event id it fails, and the kit shows it.
  await expect(given().when(created, { times: 2 }).then(noRow('person'))).rejects.toThrow(/[Uu]nique/)
})
