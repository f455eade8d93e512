import { problemSchema } from '@rollcall/http'
import { z } from 'zod'
import { SORTS } from './list-users.js'
import { userProfile } from './user-profile.js'

const EXAMPLE_ID = '019ab2f4-6c00-7e9a-b1d0-5f2b8c1d2e3f'

export const EXAMPLE_USER = {
  id: EXAMPLE_ID,
  tenantId: 'default',
  userName: 'ada',
  emails: [{ value: 'ada@example.org', type: 'work', primary: true }],
  name: { given: 'Ada', family: 'Lovelace' },
  locale: 'en-GB',
  timezone: 'Europe/London',
  attributes: { costCenter: '4711' },
  status: 'active',
  version: 1,
  createdAt: '2026-11-24T08:00:00.000Z',
  updatedAt: '2026-11-24T08:00:00.000Z',
}

const time = (description: string) => z.iso.datetime().meta({ description })

/** A user as it is answered. */
export const publicUserSchema = z
  .object({
    id: z.uuid().meta({ description: 'UUIDv7, given at creation.' }),
    tenantId: z.string(),
    userName: z.string(),
    emails: z.array(z.object({ value: z.string(), type: z.string().optional(), primary: z.boolean() })),
    name: z
      .object({ given: z.string().optional(), family: z.string().optional(), display: z.string().optional() })
      .optional(),
    phone: z.string().optional(),
    locale: z.string().optional(),
    timezone: z.string().optional(),
    attributes: z.record(z.string(), z.unknown()),
    status: z.enum(['active', 'suspended', 'deleted']),
    version: z.int().min(1).meta({ description: 'One more at each change; the entity tag.' }),
    createdAt: time('When the user was created.'),
    updatedAt: time('When the user last changed.'),
    deletedAt: time('When the user was deleted.').optional(),
    purgeAt: time('Until when a deleted user can be restored.').optional(),
  })
  .meta({ description: 'A user. Absent members are left out, never null.', examples: [EXAMPLE_USER] })

/** The body of a creation. */
export const newUserSchema = userProfile.meta({
  // Not `examples`: zod drops those of an input that is transformed.
  example: {
    userName: 'ada',
    emails: [{ value: 'ada@example.org', type: 'work' }],
    name: { given: 'Ada', family: 'Lovelace' },
    locale: 'en-GB',
    timezone: 'Europe/London',
    attributes: { costCenter: '4711' },
  },
})

/** The body of a change: checked as a whole after it is applied, by the same rules as a creation. */
export const userPatchSchema = z.record(z.string(), z.unknown()).meta({
  description:
    'JSON Merge Patch (RFC 7396) on userName, emails, name, phone, locale, timezone and attributes. ' +
    'null removes a member; arrays are replaced whole.',
  examples: [{ name: { family: 'King' }, phone: null, attributes: { costCenter: '4712' } }],
})

export const userIdParams = z.object({
  id: z
    .uuid()
    .transform((id) => id.toLowerCase())
    .meta({ example: EXAMPLE_ID }),
})

/** Headers of every write. Loose: the other headers of a request are nobody's error. */
export const writeHeaders = z.looseObject({
  'idempotency-key': z.string().optional().meta({
    description: 'The same key and request get the same answer, for 24 hours; see Idempotency-Replayed.',
    example: '6f1c1b2e-8a53-4f0e-9d55-0a4c3f7d6b1a',
  }),
})

export const changeHeaders = writeHeaders.extend({
  'if-match': z.string().optional().meta({
    description: 'Only change the user if it is at this entity tag; otherwise 412.',
    example: '"1"',
  }),
})

export const readHeaders = z.looseObject({
  'if-none-match': z.string().optional().meta({ description: 'Answer 304 if the user is at this entity tag.' }),
})

const oneLine = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
    .refine((text) => !/[\x00-\x1f]/.test(text), 'must not hold control characters')

const moment = (description: string) =>
  z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .optional()
    .meta({ description })

const STATUSES = /^(?:active|suspended|deleted)(?:,(?:active|suspended|deleted))*$/

/** Strict: a misspelt filter must not mean "all users". */
export const listQuery = z.strictObject({
  status: z
    .string()
    .regex(STATUSES, 'must list active, suspended or deleted, separated by commas')
    .default('active,suspended')
    .meta({ description: 'Deleted users are listed only on demand.', example: 'active,suspended' }),
  userName: oneLine(128).optional().meta({ description: 'The whole user name, compared without case.' }),
  email: oneLine(254).optional().meta({ description: 'A whole address, compared without case.' }),
  q: oneLine(254).optional().meta({ description: 'Beginning of the user name or of an address, without case.' }),
  createdAfter: moment('Created later than this.'),
  createdBefore: moment('Created earlier than this.'),
  updatedAfter: moment('Last changed later than this.'),
  updatedBefore: moment('Last changed earlier than this.'),
  sort: z.enum(SORTS).default('createdAt').meta({ description: 'A minus means descending.' }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(2_048).optional().meta({ description: '`nextCursor` of the page before.' }),
})

export const userPageSchema = z.object({
  items: z.array(publicUserSchema),
  nextCursor: z.string().nullable().meta({ description: 'null on the last page.' }),
})

export const historyQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(2_048).optional().meta({ description: '`nextCursor` of the page before.' }),
})

export const historyPageSchema = z.object({
  items: z.array(
    z.object({
      version: z.int(),
      type: z.string().meta({ example: 'UserUpdated' }),
      eventId: z.uuid(),
      at: time('When it happened.'),
      actor: z.object({ type: z.enum(['user', 'service', 'system']), id: z.string() }),
      changed: z.array(z.string()).meta({ description: 'Names of the members that changed.', example: ['name'] }),
      correlationId: z.string(),
      causationId: z.string().optional(),
      user: publicUserSchema,
    }),
  ),
  nextCursor: z.string().nullable(),
})

const version = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

const MOST_EVENTS = 500

export const eventsQuery = z
  .strictObject({
    from: version.meta({ description: 'The first version.', example: 3 }),
    to: version.meta({ description: `The last version; at most ${MOST_EVENTS} with the first.`, example: 4 }),
  })
  .refine(({ from, to }) => to >= from && to - from < MOST_EVENTS, {
    path: ['to'],
    error: `must be from + 0 to from + ${MOST_EVENTS - 1}`,
  })

export const archivedEventSchema = z.object({
  version: z.int(),
  eventId: z.uuid(),
  type: z.string().meta({ example: 'UserUpdated' }),
  occurredAt: time('When it happened.'),
  value: z.base64().meta({ description: 'The value of a record in `users.lifecycle.v1`, in base64.' }),
})

export const eventsSchema = z.object({ items: z.array(archivedEventSchema) })

/** Problem answers of the given statuses, for the OpenAPI document. */
export function problemAnswers(...statuses: number[]): Record<number, typeof problemSchema> {
  return Object.fromEntries(statuses.map((status) => [status, problemSchema]))
}
