import { errorCode } from '@rollcall/errors'
import type { JsonObject } from '@rollcall/events'
import { decideChange, decideCreation } from '../../src/users/decide.js'
import type { ChangeCommand, DecisionContext, UserState } from '../../src/users/user.js'
import { userProfile } from '../../src/users/user-profile.js'

const ID = '019ab2f4-6c00-7e9a-b1d0-5f2b8c1d2e3f'
const DAY_MS = 86_400_000
const at = (time: string): Date => new Date(`2026-11-24T${time}:00.000Z`)

const context = (changes: Partial<DecisionContext> = {}): DecisionContext => ({
  tenantId: 'acme',
  actor: { type: 'user', id: 'admin' },
  correlationId: 'c-1',
  causationId: null,
  now: at('10:00'),
  eventId: '019ab2f4-6c00-7e9a-b1d0-000000000001',
  gracePeriodMs: DAY_MS,
  ...changes,
})

const ada = {
  userName: 'ada',
  emails: [{ value: 'ada@example.org', type: 'work' }],
  name: { given: 'Ada', family: 'Lovelace' },
  attributes: { team: { id: 7, lead: true } },
}
const born = (profile: object = ada): UserState =>
  decideCreation({ type: 'CreateUser', userId: ID, profile: userProfile.parse(profile) }, context()).next

/** The state after the commands; a command that changes nothing leaves it. */
const after = (state: UserState, ...types: Exclude<ChangeCommand['type'], 'UpdateUser'>[]): UserState =>
  types.reduce((now, type) => decideChange(now, { type }, context())?.next ?? now, state)

const patch = (state: UserState, document: JsonObject, changes: Partial<DecisionContext> = {}) =>
  decideChange(state, { type: 'UpdateUser', patch: document }, context(changes))

const refusal = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was refused')
}

test('a user is born active, at version 1, and its event says the whole of it', () => {
  const { event, next } = decideCreation(
    { type: 'CreateUser', userId: ID, profile: userProfile.parse(ada) },
    context({ correlationId: 'c-9' }),
  )
  expect(next).toEqual({
    statusBeforeDeletion: null,
    user: {
      id: ID,
      tenantId: 'acme',
      userName: 'ada',
      emails: [{ value: 'ada@example.org', type: 'work', primary: true }],
      name: { given: 'Ada', family: 'Lovelace', display: null },
      phone: null,
      locale: null,
      timezone: null,
      attributes: { team: { id: 7, lead: true } },
      status: 'active',
      version: 1,
      createdAt: at('10:00'),
      updatedAt: at('10:00'),
      deletedAt: null,
      purgeAt: null,
    },
  })
  expect(event).toMatchObject({
    type: 'UserCreated',
    userId: ID,
    version: 1,
    occurredAt: at('10:00'),
    actor: { type: 'user', id: 'admin' },
    correlationId: 'c-9',
    changed: ['userName', 'emails', 'name', 'attributes'],
  })
  expect(event.user).toBe(next.user)
})

test('a change is one version more, names what changed, and leaves the state it began with alone', () => {
  const state = born()
  const before = structuredClone(state)
  const decision = patch(state, { name: { family: 'King' }, locale: 'en-gb' }, { now: at('11:00') })
  expect(decision?.event).toMatchObject({ type: 'UserUpdated', version: 2, changed: ['name', 'locale'] })
  expect(decision?.next.user).toMatchObject({
    name: { given: 'Ada', family: 'King' },
    locale: 'en-GB',
    updatedAt: at('11:00'),
    createdAt: at('10:00'),
  })
  expect(state).toEqual(before)
})

test.each<[string, JsonObject]>([
  ['an empty patch', {}],
  ['the same value', { userName: 'ada' }],
  ['the same after normalising', { emails: [{ value: 'ada@example.org', type: 'work', primary: true }] }],
  ['null for what is absent', { phone: null, attributes: { gone: null } }],
  ['attributes in another order', { attributes: { team: { lead: true, id: 7 } } }],
])('%s changes nothing: no event, no version', (_, document) => {
  expect(patch(born(), document)).toBeUndefined()
})

test('null removes, at any depth; a name without parts is no name', () => {
  expect(patch(born(), { attributes: { team: { lead: null } } })?.next.user.attributes).toEqual({ team: { id: 7 } })
  expect(patch(born(), { name: { given: null, family: null } })?.next.user.name).toBeNull()
  expect(patch(born(), { emails: null })?.next.user.emails).toEqual([])
})

test('a patch cannot reach what the registry keeps, nor leave a user without a name', () => {
  const error = refusal(() => patch(born(), { status: 'deleted', version: 9, 'a/b': 1, userName: null }))
  expect(errorCode(error)).toBe('ERR_USER_INVALID')
  const { problems } = error as { problems: { pointer: string; detail: string }[] }
  expect(problems.map(({ pointer }) => pointer).sort()).toEqual(['/a~1b', '/status', '/userName', '/version'])
  expect(problems.find(({ pointer }) => pointer === '/status')?.detail).toContain('suspend')
})

test.each<[string, Exclude<ChangeCommand['type'], 'UpdateUser'>[], ChangeCommand['type'], string[]]>([
  ['an active user cannot be reactivated', [], 'ReactivateUser', ['update', 'suspend', 'delete']],
  ['an active user cannot be restored', [], 'RestoreUser', ['update', 'suspend', 'delete']],
  ['a suspended user cannot be suspended again', ['SuspendUser'], 'SuspendUser', ['update', 'reactivate', 'delete']],
  ['a deleted user cannot be deleted again', ['DeleteUser'], 'DeleteUser', ['restore']],
  ['a deleted user cannot be suspended', ['DeleteUser'], 'SuspendUser', ['restore']],
  ['a deleted user cannot be changed', ['DeleteUser'], 'UpdateUser', ['restore']],
])('%s, and the refusal names the acts it allows', (_, life, type, allowedActs) => {
  const command = type === 'UpdateUser' ? { type, patch: { locale: 'de' } } : { type }
  const error = refusal(() => decideChange(after(born(), ...life), command as ChangeCommand, context()))
  expect(error).toMatchObject({ code: 'ERR_USER_STATUS_CONFLICT', facts: { userId: ID, allowedActs } })
})

test('a deleted user can be restored until its grace period ends, not a moment later', () => {
  const deleted = after(born(), 'DeleteUser')
  expect(deleted.user).toMatchObject({
    status: 'deleted',
    deletedAt: at('10:00'),
    purgeAt: new Date('2026-11-25T10:00:00Z'),
  })
  const restore = (now: Date) => decideChange(deleted, { type: 'RestoreUser' }, context({ now }))
  const end = Number(deleted.user.purgeAt)
  expect(restore(new Date(end - 1))?.next.user).toMatchObject({
    status: 'active',
    deletedAt: null,
    purgeAt: null,
    version: 3,
  })
  expect(refusal(() => restore(new Date(end)))).toMatchObject({ code: 'ERR_USER_GRACE_ENDED' })
})

test('delete and restore is no way around a suspension', () => {
  expect(after(born(), 'SuspendUser', 'DeleteUser', 'RestoreUser').user.status).toBe('suspended')
  expect(after(born(), 'SuspendUser', 'ReactivateUser', 'DeleteUser', 'RestoreUser').user.status).toBe('active')
})

test('a clock that was set back makes no user younger than its last change', () => {
  const late = patch(born(), { locale: 'de' }, { now: at('12:00') })
  const early = patch(late?.next ?? born(), { locale: 'fr' }, { now: at('09:00') })
  expect([early?.event.occurredAt, early?.next.user.updatedAt]).toEqual([at('12:00'), at('12:00')])
})
