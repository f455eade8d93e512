import { z } from 'zod'

/** One person as callers see it. */
export const personSchema = z.object({
  id: z.uuid(),
  tenantId: z.string(),
  userName: z.string(),
  displayName: z.string(),
  givenName: z.string().nullable(),
  familyName: z.string().nullable(),
  primaryEmail: z.string().nullable(),
  emails: z.array(z.object({ value: z.string(), type: z.string().nullish(), primary: z.boolean() })),
  name: z
    .object({ given: z.string().nullish(), family: z.string().nullish(), display: z.string().nullish() })
    .nullable(),
  phone: z.string().nullable(),
  locale: z.string().nullable(),
  timezone: z.string().nullable(),
  attributes: z.record(z.string(), z.unknown()),
  status: z.enum(['active', 'suspended']),
  version: z.int().meta({ description: 'Version of the user this row shows.' }),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})

export const personPageSchema = z.object({
  items: z.array(personSchema),
  nextCursor: z.string().nullable().meta({ description: 'Give it as `cursor` for the next page; null on the last.' }),
})

/** `atLeast=<userId>@<version>`, as the registry's header Rollcall-Version has it. */
export const atLeastSchema = z.strictObject({
  atLeast: z
    .string()
    .regex(/^[0-9a-fA-F-]{36}@[1-9]\d{0,14}$/, 'expected <userId>@<version>')
    .transform((text) => {
      const [userId = '', version] = text.split('@')
      return { userId: userId.toLowerCase(), version: Number(version) }
    })
    .optional()
    .meta({ description: 'Wait until this version of this user is applied here; 503 when it takes too long.' }),
  waitMs: z.coerce.number().int().min(0).max(10_000).optional().meta({ description: 'How long to wait at most.' }),
})

export const peopleQuery = atLeastSchema.extend({
  q: z.string().trim().min(1).max(200).optional(),
  email: z.string().trim().min(3).max(320).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().optional(),
})
