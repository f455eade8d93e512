import type {
  Actor,
  User,
  UserCreated,
  UserDeleted,
  UserLifecycleEvent,
  UserReactivated,
  UserRestored,
  UserSuspended,
  UserUpdated,
} from '../generated/users.js'
import { DEPARTMENTS, FAMILY_NAMES, GIVEN_NAMES, LOCALES, TIMEZONES } from './people.js'
import { type Random, random } from './random.js'

/** Parts of an event to set by hand; what is not set follows from the event before, or from the seed. */
export interface EventOverrides {
  readonly eventId?: string
  readonly occurredAt?: Date
  readonly actor?: Actor
  readonly correlationId?: string
  readonly causationId?: string | null
  /** Attributes to set. `changed` is derived from them. */
  readonly user?: Partial<Omit<User, 'id' | 'version' | 'status' | 'createdAt' | 'updatedAt'>>
}

export interface EventStart extends EventOverrides {
  /** Equal seeds give equal events. @default a new one at each call, the same sequence in every run */
  readonly seed?: number
  readonly userId?: string
  readonly tenantId?: string
}

type Of<T extends UserLifecycleEvent['type']> = Extract<UserLifecycleEvent, { readonly type: T }>
type Previous = UserLifecycleEvent | EventStart

const GRACE_MS = 30 * 86_400_000
const MINUTE_MS = 60_000
const START = Date.UTC(2026, 0, 5, 8)

let nextSeed = 1

/** A user is created: version 1, with made-up data in one of many scripts. */
export function userCreated({
  seed = nextSeed++,
  userId,
  tenantId = 'acme',
  ...overrides
}: EventStart = {}): Of<'UserCreated'> {
  const rng = random(seed)
  const at = overrides.occurredAt ?? new Date(START + (seed % 500_000) * MINUTE_MS)
  const id = userId ?? rng.uuidv7(at.getTime())
  const user: User = {
    ...madeUpPerson(rng, id),
    tenantId,
    ...overrides.user,
    status: 'active',
    version: 1,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
    purgeAt: null,
  }
  return {
    type: 'UserCreated',
    eventId: overrides.eventId ?? rng.uuidv7(at.getTime()),
    tenantId: user.tenantId,
    userId: id,
    version: 1,
    occurredAt: at,
    actor: overrides.actor ?? { type: 'service', id: 'local' },
    correlationId: overrides.correlationId ?? rng.uuidv7(at.getTime()),
    causationId: overrides.causationId ?? null,
    changed: ['userName', 'emails', 'name', 'phone', 'locale', 'timezone', 'attributes'],
    user,
  } satisfies { type: 'UserCreated' } & UserCreated
}

/** The user of `previous` (or of a new one) changes: by default its phone and one attribute. */
export function userUpdated(previous: Previous = {}, overrides: EventOverrides = {}): Of<'UserUpdated'> {
  const before = eventBefore(previous)
  const rng = seededBy(before, 'UserUpdated')
  const change = overrides.user ?? {
    phone: rng.phone(),
    attributes: { ...before.user.attributes, desk: rng.below(900) },
  }
  return follow(before, 'UserUpdated', change, Object.keys(change), overrides) satisfies {
    type: 'UserUpdated'
  } & UserUpdated
}

/** The user of `previous` (or of a new one) is suspended. */
export function userSuspended(previous: Previous = {}, overrides: EventOverrides = {}): Of<'UserSuspended'> {
  return follow(eventBefore(previous), 'UserSuspended', { status: 'suspended' }, ['status'], overrides) satisfies {
    type: 'UserSuspended'
  } & UserSuspended
}

/** The user of `previous` is active again; without a previous event, one that was created and suspended before. */
export function userReactivated(previous: Previous = {}, overrides: EventOverrides = {}): Of<'UserReactivated'> {
  const before = isEvent(previous) ? previous : userSuspended(previous)
  return follow(before, 'UserReactivated', { status: 'active' }, ['status'], overrides) satisfies {
    type: 'UserReactivated'
  } & UserReactivated
}

/** The user of `previous` (or of a new one) is deleted, restorable for 30 days. */
export function userDeleted(previous: Previous = {}, overrides: EventOverrides = {}): Of<'UserDeleted'> {
  const before = eventBefore(previous)
  const at = timeAfter(before, overrides)
  const change = { status: 'deleted', deletedAt: at, purgeAt: new Date(at.getTime() + GRACE_MS) } as const
  return follow(before, 'UserDeleted', change, ['status', 'deletedAt', 'purgeAt'], overrides) satisfies {
    type: 'UserDeleted'
  } & UserDeleted
}

/** The user of `previous` is restored; without a previous event, one that was created and deleted before. */
export function userRestored(previous: Previous = {}, overrides: EventOverrides = {}): Of<'UserRestored'> {
  const before = isEvent(previous) ? previous : userDeleted(previous)
  const change = { status: 'active', deletedAt: null, purgeAt: null } as const
  return follow(before, 'UserRestored', change, ['status', 'deletedAt', 'purgeAt'], overrides) satisfies {
    type: 'UserRestored'
  } & UserRestored
}

/**
 * The first `length` events of one user, as the registry would have written them: versions 1 to `length`, states that
 * follow from each other, times that never go back. Equal starts with equal seeds give equal histories.
 */
export function history(length: number, start: EventStart = {}): UserLifecycleEvent[] {
  const seed = start.seed ?? nextSeed++
  const rng = random(seed ^ 0x5eed)
  const events: UserLifecycleEvent[] = []
  let last: UserLifecycleEvent | undefined
  while (events.length < length) {
    last = last === undefined ? userCreated({ ...start, seed }) : oneAfter(last, rng)
    events.push(last)
  }
  return events
}

function oneAfter(previous: UserLifecycleEvent, rng: Random): UserLifecycleEvent {
  const luck = rng.below(10)
  if (previous.user.status === 'deleted') return userRestored(previous)
  if (previous.user.status === 'suspended') return luck < 7 ? userReactivated(previous) : userDeleted(previous)
  if (luck < 7) return userUpdated(previous)
  return luck < 9 ? userSuspended(previous) : userDeleted(previous)
}

function follow<T extends UserLifecycleEvent['type']>(
  before: UserLifecycleEvent,
  type: T,
  change: Partial<User>,
  changed: readonly string[],
  overrides: EventOverrides,
) {
  const rng = seededBy(before, type)
  const at = timeAfter(before, overrides)
  const version = before.version + 1
  return {
    type,
    eventId: overrides.eventId ?? rng.uuidv7(at.getTime()),
    tenantId: before.tenantId,
    userId: before.userId,
    version,
    occurredAt: at,
    actor: overrides.actor ?? before.actor,
    correlationId: overrides.correlationId ?? rng.uuidv7(at.getTime()),
    causationId: overrides.causationId ?? null,
    changed,
    user: { ...before.user, ...overrides.user, ...change, version, updatedAt: at },
  }
}

const eventBefore = (previous: Previous): UserLifecycleEvent => (isEvent(previous) ? previous : userCreated(previous))

const isEvent = (previous: Previous): previous is UserLifecycleEvent => 'type' in previous

const timeAfter = (before: UserLifecycleEvent, { occurredAt }: EventOverrides) =>
  occurredAt ?? new Date(before.occurredAt.getTime() + MINUTE_MS)

// What follows an event depends on that event alone, so that a history is the same however it was built.
function seededBy(before: UserLifecycleEvent, type: string): Random {
  let seed = before.version
  for (const text of [before.userId, before.eventId, type]) {
    for (let i = 0; i < text.length; i++) seed = (Math.imul(seed, 31) + text.charCodeAt(i)) | 0
  }
  return random(seed)
}

function madeUpPerson(rng: Random, id: string) {
  const given = rng.pick(GIVEN_NAMES)
  const family = rng.pick(FAMILY_NAMES)
  const place = rng.below(LOCALES.length)
  // The digits of the id keep login names and addresses apart in a large history.
  const handle = `user-${id.replaceAll('-', '').slice(-12)}`
  const emails = [{ value: `${handle}@example.org`, type: 'work', primary: true }]
  if (rng.below(4) === 0) emails.push({ value: `${handle}@home.example.net`, type: 'home', primary: false })
  return {
    id,
    userName: handle,
    emails,
    name: rng.below(20) === 0 ? null : { given, family, display: rng.below(3) === 0 ? `${given} ${family}` : null },
    phone: rng.below(3) === 0 ? null : rng.phone(),
    locale: LOCALES[place] ?? null,
    timezone: TIMEZONES[place] ?? null,
    attributes: { department: rng.pick(DEPARTMENTS), costCentre: 1_000 + rng.below(9_000) },
  }
}
