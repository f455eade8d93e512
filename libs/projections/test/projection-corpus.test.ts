import type { PoolClient } from '@rollcall/database'
import { type AvroRecord, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { type CorpusEntry, schemaCorpus } from '@rollcall/events/corpus'
import { sampleEvents } from '@rollcall/events/schemas'
import { userCreated } from '@rollcall/events/testing'
import { defineProjection, pgStore } from '../src/index.js'
import { projectionCorpus } from '../src/testing/index.js'
import { memoryLog } from './memory-log.js'
import { byBatch, byEvent, byTable, type Fixture, fixture, rows, run } from './support.js'

let fixed: Fixture
beforeAll(async () => {
  fixed = await fixture()
})
afterAll(() => fixed.close())

/** As it was written before users had telephones. */
const withoutPhones: CorpusEntry[] = schemaCorpus.map((entry) => {
  const schema = JSON.parse(entry.schema) as AvroRecord
  const older = {
    ...schema,
    fields: schema.fields.map((field) => {
      const { type } = field as { type: AvroRecord }
      if (field.name !== 'user') return field
      return { ...field, type: { ...type, fields: type.fields.filter(({ name }) => name !== 'phone') } }
    }),
  }
  return { ...entry, version: 0, schema: JSON.stringify(older), values: sampleEvents(older) }
})
const corpus = [...withoutPhones, ...schemaCorpus]

test.each([
  ['by event', byEvent()],
  ['by batch', byBatch()],
  ['by table', byTable()],
] as const)(
  'every form takes events of every schema version ever registered, and nothing stays (%s)',
  async (_form, projection) => {
    const taken = await projectionCorpus({ projection, topic: userLifecycle, store: pgStore(fixed.pool), corpus })
    expect(Object.keys(taken)).toHaveLength(12)
    expect(taken).toMatchObject({ 'UserCreated version 0': 4, 'UserRestored version 1': 4 })
    for (const table of ['person', 'person_by_event', 'person_by_batch'])
      expect(await rows(fixed.pool, table)).toEqual([])
  },
)

test('a projection that does not take an old version is told which one, and why', async () => {
  const projection = defineProjection<UserLifecycleEvent, PoolClient>({
    ...byEvent(),
    on: {
      UserCreated: ({ user }) => {
        if (user.phone === null) throw new TypeError('every user has a phone')
      },
      UserUpdated: ({ user }, { tx }) => tx.query("INSERT INTO person_by_event VALUES ($1, NULL, '{}')", [user.id]),
    },
  })
  const run = projectionCorpus({ projection, topic: userLifecycle, store: pgStore(fixed.pool), corpus: withoutPhones })
  await expect(run).rejects.toThrow(
    /fails on 8 of 24 events of the corpus:\nUserCreated version 0: TypeError: every user has a phone/,
  )
  await expect(run).rejects.toThrow(/UserUpdated version 0: 23502: null value/)
})

test('a running projection rehearses values as they stand in a topic: read, applied, rolled back', async () => {
  const log = memoryLog(1)
  const [good, bad] = [userCreated(), userCreated()]
  log.know(good, bad)
  const projection = defineProjection({
    ...byEvent(),
    on: {
      UserCreated: async (event, { tx }) => {
        await tx.query('INSERT INTO seen VALUES ($1, 1)', [event.userId])
        if (event.userId === bad.userId) throw new Error('not this one')
      },
    },
  })
  const { projections } = run(fixed, log, [projection])
  const outcomes = await projections.rehearse(
    'by-event',
    [good.eventId, bad.eventId, 'no event', good.eventId].map((value) => Buffer.from(value)),
  )
  expect(outcomes).toEqual([
    null,
    { code: 'Error', message: 'not this one' },
    { code: 'Error', message: 'not an event' },
    null,
  ])
  expect((await fixed.pool.query('SELECT * FROM seen')).rows).toEqual([])
  await expect(projections.rehearse('nobody', [])).rejects.toMatchObject({ code: 'ERR_PROJECTION_UNKNOWN' })
})
