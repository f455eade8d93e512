import { prismaAdapter } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { userLifecycle } from '@rollcall/events'
import { schemaCorpus } from '@rollcall/events/corpus'
import { userCreated, userDeleted, userRestored, userSuspended, userUpdated } from '@rollcall/events/testing'
import type { App } from '@rollcall/http'
import { createMetrics } from '@rollcall/observability'
import { silentLogger } from '@rollcall/observability/testing'
import { ProjectionBehindError, pgStore, type RunningProjections } from '@rollcall/projections'
import { noRow, projectionCorpus, projectionTest, row } from '@rollcall/projections/testing'
import { createDirectoryApp } from '../src/directory-app.js'
import { directoryMigrations } from '../src/directory-migrations.js'
import { PrismaClient } from '../src/generated/client.js'
import { people } from '../src/people/people-projection.js'
import { searchText } from '../src/people/search-text.js'

let database: TestDatabase
let prisma: PrismaClient
let app: App
const waits: unknown[][] = []

// Kafka has no part in these tests: what arrives is given, and how it arrives is the library's own business.
const projections = {
  waitFor: async (userId: string, version: number, timeoutMs: number) => {
    waits.push([userId, version, timeoutMs])
    if (version > 5) throw new ProjectionBehindError('people', userId, 5, version, timeoutMs)
  },
  status: async () => [],
} as unknown as RunningProjections

beforeAll(async () => {
  database = await createTestDatabase({ migrations: directoryMigrations })
  prisma = new PrismaClient({ adapter: prismaAdapter(database.pool) })
  app = await createDirectoryApp({ prisma, projections, logger: silentLogger, metrics: createMetrics('directory') })
})

afterAll(async () => {
  await app?.close()
  await prisma?.$disconnect()
  await database?.close()
})

const given = () => projectionTest({ projection: people, store: pgStore(database.pool), sql: database.pool })

const created = userCreated()
const { userId } = created

describe('the projection', () => {
  test('takes events of every schema version ever registered', async () => {
    const taken = await projectionCorpus({ projection: people, topic: userLifecycle, store: pgStore(database.pool) })
    expect(Object.keys(taken)).toHaveLength(schemaCorpus.length)
  })

  test('a new user is a person', () =>
    given()
      .when(created, { times: 2 })
      .then(row('person', { user_id: userId, user_name: created.user.userName, version: 1 })))

  test('a changed user is the changed person, and no second one', () => {
    const updated = userUpdated(created)
    return given()
      .given(created)
      .when(updated, { times: 2 })
      .then(row('person', { user_id: userId, emails: updated.user.emails, version: 2 }))
  })

  test('a suspended user stays, and says so', () =>
    given()
      .given(created)
      .when(userSuspended(created), { times: 2 })
      .then(row('person', { user_id: userId, status: 'suspended' })))

  test('a deleted user leaves', () =>
    given().given(created).when(userDeleted(created), { times: 2 }).then(noRow('person')))

  test('a restored user comes back', () => {
    const deleted = userDeleted(created)
    return given()
      .given(created, deleted)
      .when(userRestored(deleted), { times: 2 })
      .then(row('person', { user_id: userId, version: 3 }))
  })

  test('a failed expectation says what is there', async () => {
    await expect(given().when(created).then(noRow('person'))).rejects.toThrow(created.user.userName)
  })
})

describe('people', () => {
  const named = (given: string, family: string, userName: string) => {
    const event = userCreated()
    return {
      ...event,
      user: {
        ...event.user,
        userName,
        emails: [{ value: `${userName}@Example.com`, type: null, primary: true }],
        name: { given, family, display: null },
      },
    }
  }
  const ada = named('Ada', 'Lovelace', 'ada')
  const grace = named('Grace', 'Hopper', 'ghopper')
  const adam = named('Adam', 'Löwenstein', 'adam.l')

  beforeAll(() => given().given(ada, grace, adam).then())

  const names = (body: { items: { userName: string }[] }) => body.items.map(({ userName }) => userName)

  test('are found by the beginning of a word, then by any part, then misspelt', async () => {
    expect(names((await app.inject('/v1/people?q=ada')).json()).sort()).toEqual(['ada', 'adam.l'])
    expect(names((await app.inject('/v1/people?q=ovelac')).json())).toEqual(['ada'])
    expect(names((await app.inject('/v1/people?q=hoper')).json())).toEqual(['ghopper'])
    expect(names((await app.inject('/v1/people?q=%25')).json())).toEqual([])
  })

  test('are found whatever the case and the marks of their names', async () => {
    for (const q of ['lowenstein', 'LÖWEN', 'löwenst']) {
      expect(names((await app.inject(`/v1/people?q=${encodeURIComponent(q)}`)).json())).toEqual(['adam.l'])
    }
  })

  test('what is searched holds every word once', () => {
    expect(searchText('Ada Lovelace', 'ada', 'ada@example.org')).toBe('ada lovelace ada@example.org')
    expect(searchText('Zoë', 'zoe', null)).toBe('zoe')
    expect(searchText('Grace', 'hopper', undefined)).toBe('grace hopper')
  })

  test('are found by address, whatever its case', async () => {
    expect(names((await app.inject('/v1/people?email=ADA@example.com')).json())).toEqual(['ada'])
  })

  test('are paged without a repeat or a hole', async () => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { items, nextCursor } = (await app.inject(`/v1/people?limit=1${cursor}`)).json()
      seen.push(...items.map(({ userName }: { userName: string }) => userName))
      cursor = nextCursor === null ? '' : `&cursor=${nextCursor}`
    } while (cursor !== '')
    expect(seen.sort()).toEqual(['ada', 'adam.l', 'ghopper'])
  })

  test('a person is shown with all that the registry knows', async () => {
    const answer = await app.inject(`/v1/people/${ada.userId}`)
    expect(answer.json()).toMatchObject({
      id: ada.userId,
      displayName: 'Ada Lovelace',
      primaryEmail: 'ada@Example.com',
      attributes: ada.user.attributes,
      version: 1,
      createdAt: ada.user.createdAt.toISOString(),
    })
  })

  test('nobody there is 404, an id that is none is 400', async () => {
    expect((await app.inject('/v1/people/01934f6e-0000-7000-8000-000000000001')).json()).toMatchObject({
      code: 'ERR_PERSON_NOT_FOUND',
    })
    expect((await app.inject('/v1/people/42')).statusCode).toBe(400)
    expect((await app.inject('/v1/people?cursor=nonsense')).json()).toMatchObject({ code: 'ERR_CURSOR_INVALID' })
  })

  test('a read waits for the version it asks for, and says how far behind the row is', async () => {
    expect((await app.inject(`/v1/people/${ada.userId}?atLeast=${ada.userId}@3&waitMs=70`)).statusCode).toBe(200)
    expect(waits.at(-1)).toEqual([ada.userId, 3, 70])
    const behind = await app.inject(`/v1/people/${ada.userId}?atLeast=${ada.userId}@9`)
    expect(behind.statusCode).toBe(503)
    expect(behind.json()).toMatchObject({
      code: 'ERR_PROJECTION_BEHIND',
      detail: expect.stringContaining('behind by 4'),
    })
    expect((await app.inject(`/v1/people/${ada.userId}?atLeast=nonsense`)).statusCode).toBe(400)
  })
})
