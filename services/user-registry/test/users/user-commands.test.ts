import { randomUUID } from 'node:crypto'
import type { Sql } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { userCreated } from '@rollcall/events/testing'
import { parseEntityTags } from '@rollcall/http'
import { uuidv7 } from 'uuidv7'
import { LOCAL_PRINCIPAL } from '../../src/principal.js'
import { registryMigrations } from '../../src/registry-migrations.js'
import { createUserCommands } from '../../src/users/user-commands.js'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase({ migrations: registryMigrations })
})
afterAll(() => database.close())

const request = { principal: LOCAL_PRINCIPAL, correlationId: 'test' }

const commandsOn = (sql: Sql) =>
  createUserCommands({
    sql,
    codec: { encode: () => Buffer.from('event') },
    committed: () => {},
    now: () => new Date(),
    newId: uuidv7,
    gracePeriodMs: 60_000,
  })

/** A user, this process's commands, and another process that comes between the two commands given to this one. */
async function race() {
  const other = commandsOn(database.pool)
  const { name, phone, locale, timezone, attributes } = userCreated().user
  const profile = { userName: randomUUID(), emails: [], name, phone, locale, timezone, attributes }
  const { userId } = await other.create(profile, request)
  let isFirst = true
  let reads = 0
  const sql: Sql = {
    async query(config: never) {
      const { name } = config as { name: string }
      if (name === 'registry_find_user') reads++
      const result = await database.pool.query(config)
      if (name.startsWith('registry_change_user') && isFirst) {
        isFirst = false
        await other.change(userId, { type: 'SuspendUser' }, request)
      }
      return result
    },
  } as Sql
  return { userId, ours: commandsOn(sql), reads: () => reads }
}

const rename = (to: string) => ({ type: 'UpdateUser', patch: { name: { given: to } } }) as const

test('a write decided on a remembered state that is old is decided again', async () => {
  const { userId, ours } = await race()
  const [first, second] = await Promise.all([
    ours.change(userId, rename('Ada'), request),
    ours.change(userId, rename('Augusta'), request),
  ])
  expect([first.version, second.version]).toEqual([2, 4])
  expect(JSON.parse(second.body)).toMatchObject({ status: 'suspended', name: { given: 'Augusta' } })
})

test('what a remembered state would refuse is allowed when the user as it is allows it', async () => {
  const { userId, ours } = await race()
  const [, second] = await Promise.all([
    ours.change(userId, rename('Ada'), request),
    ours.change(userId, { type: 'ReactivateUser' }, request),
  ])
  expect(second.version).toBe(4)
})

test('what a remembered state would allow is refused when the user as it is refuses it', async () => {
  const { userId, ours } = await race()
  const second = Promise.all([
    ours.change(userId, rename('Ada'), request),
    ours.change(userId, { type: 'SuspendUser' }, request),
  ])
  await expect(second).rejects.toMatchObject({ code: 'ERR_USER_STATUS_CONFLICT' })
})

test('If-Match is held against the user as it is, not as it is remembered', async () => {
  const { userId, ours } = await race()
  const current = { ...request, ifMatch: parseEntityTags('"3"') }
  const [, second] = await Promise.all([
    ours.change(userId, rename('Ada'), request),
    ours.change(userId, rename('Augusta'), current),
  ])
  expect(second.version).toBe(4)
})

test('commands that wait for each other read the user once', async () => {
  const { userId, ours, reads } = await race()
  await ours.change(userId, rename('x'), request)
  const before = reads()
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => ours.change(userId, rename(`n${n}`), request)))
  expect(answers.map(({ version }) => version)).toEqual(Array.from({ length: 10 }, (_, n) => 4 + n))
  expect(reads() - before).toBe(1)
})
