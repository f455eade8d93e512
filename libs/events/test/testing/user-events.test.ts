import { avroType } from '../../src/codec/avro-type.js'
import {
  history,
  userCreated,
  userDeleted,
  userReactivated,
  userRestored,
  userSuspended,
  userUpdated,
} from '../../src/testing/index.js'
import { userLifecycle } from '../../src/user-lifecycle.js'

test('equal seeds give equal histories, other seeds other users', () => {
  expect(history(20, { seed: 7 })).toEqual(history(20, { seed: 7 }))
  expect(history(1, { seed: 7 })[0]?.userId).not.toBe(history(1, { seed: 8 })[0]?.userId)
})

test('a history has every version once, in order, with states and times that follow', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const events = history(25, { seed })
    expect(events.map(({ version }) => version)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1))
    expect(events[0]?.type).toBe('UserCreated')
    for (const [index, event] of events.entries()) {
      const before = events[index - 1]
      expect(event.user).toMatchObject({ id: event.userId, version: event.version, tenantId: event.tenantId })
      expect(event.user.deletedAt === null).toBe(event.user.status !== 'deleted')
      if (before === undefined) continue
      expect(event.occurredAt.getTime()).toBeGreaterThan(before.occurredAt.getTime())
      expect(LEGAL[event.type]).toContain(before.user.status)
    }
    expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(25)
  }
})

const LEGAL: Readonly<Record<string, readonly string[]>> = {
  UserUpdated: ['active'],
  UserSuspended: ['active'],
  UserReactivated: ['suspended'],
  UserDeleted: ['active', 'suspended'],
  UserRestored: ['deleted'],
}

test('every built event fits its schema', () => {
  const built = [userCreated(), userUpdated(), userSuspended(), userReactivated(), userDeleted(), userRestored()]
  for (const event of [...built, ...history(200)]) {
    expect(avroType(userLifecycle.schemas[event.type]).isValid(event)).toBe(true)
  }
})

test('what is set by hand is in the event, and in those that follow', () => {
  const created = userCreated({
    tenantId: 't',
    userId: '019b8d2c-7660-7ce0-9d5e-f8d680ae476e',
    user: { userName: 'ada' },
  })
  const updated = userUpdated(created, { user: { phone: null }, correlationId: 'c' })
  expect(created).toMatchObject({ tenantId: 't', userId: created.user.id, user: { userName: 'ada', tenantId: 't' } })
  expect(updated).toMatchObject({
    version: 2,
    changed: ['phone'],
    correlationId: 'c',
    user: { userName: 'ada', phone: null },
  })
})

test('the data is in many scripts, and its addresses belong to nobody', () => {
  const users = Array.from({ length: 300 }, (_, seed) => userCreated({ seed }).user)
  const names = users.map(({ name }) => `${name?.given} ${name?.family}`).join()
  for (const script of ['Latin', 'Greek', 'Cyrillic', 'Arabic', 'Hebrew', 'Devanagari', 'Han', 'Hangul']) {
    expect(names).toMatch(new RegExp(`\\p{Script=${script}}`, 'u'))
  }
  for (const { value } of users.flatMap(({ emails }) => emails)) expect(value).toMatch(/@(home\.)?example\.(org|net)$/)
  for (const { phone } of users) expect(phone ?? '+15555550100').toMatch(/^\+1555555 ?01\d\d$/)
})
