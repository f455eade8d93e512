import type { JsonObject } from '@rollcall/events'
import { z } from 'zod'
import { attributesProblem } from './attributes.js'
import { emailKey, isEmailAddress } from './email-address.js'
import { canonicalLocale, canonicalTimeZone } from './locale-and-zone.js'

export const MAX_EMAILS = 20

const shortText = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !HIDDEN.test(text), 'must not hold control characters or broken surrogates')
    .refine((text) => text.trim() === text, 'must not start or end with white space')

// Control, format (but the joiners some scripts need), unassigned and half characters.
const HIDDEN = /(?![\u200c\u200d])\p{C}|[\p{Zl}\p{Zp}]/u

const email = z.strictObject({
  value: z
    .string()
    .refine(isEmailAddress, 'is not an e-mail address such as ada@example.org')
    .meta({ description: 'The address as the user writes it; compared without case.', example: 'ada@example.org' }),
  type: shortText(32).nullish().transform(orNull).meta({ description: 'What it is for.', example: 'work' }),
  primary: z.boolean().default(false).meta({ description: 'The address to use first; at most one.' }),
})

const personName = z.strictObject({
  given: shortText(200).nullish().transform(orNull).meta({ example: 'Ada' }),
  family: shortText(200).nullish().transform(orNull).meta({ example: 'Lovelace' }),
  display: shortText(400).nullish().transform(orNull).meta({ example: 'Ada Lovelace' }),
})

/**
 * What a caller may set: the mutable part of a user. Unknown members are refused by name; null means absent.
 * Parsing normalises: telephone separators go, locale and time zone get their canonical case, the first e-mail
 * becomes primary when none is.
 */
export const userProfile = z.strictObject({
  userName: shortText(128).meta({
    description: 'Login name; unique in the tenant, compared without case.',
    example: 'ada',
  }),
  emails: z
    .array(email)
    .max(MAX_EMAILS)
    .nullish()
    .transform((emails) => emails ?? [])
    .superRefine(oneOfEach)
    .transform(withPrimary)
    .meta({ description: 'Each unique in the tenant. The first becomes primary when none is.' }),
  name: personName.nullish().transform(emptyToNull).meta({ description: 'The name of the person, in parts.' }),
  phone: z
    .string()
    .max(40)
    .transform((text) => text.replace(/[\s().-]/g, ''))
    .refine((text) => /^\+[1-9]\d{6,14}$/.test(text), 'is not an E.164 number such as +442079460000')
    .nullish()
    .transform(orNull)
    .meta({ description: 'E.164; separators are dropped.', example: '+442079460000' }),
  locale: canonical(canonicalLocale, 'is not a BCP 47 language tag such as en-GB').meta({
    description: 'BCP 47 tag.',
    example: 'en-GB',
  }),
  timezone: canonical(canonicalTimeZone, 'is not an IANA time zone such as Europe/London').meta({
    description: 'IANA time zone.',
    example: 'Europe/London',
  }),
  attributes: z
    .record(z.string(), z.unknown())
    .nullish()
    // JSON, since it was parsed from it; attributesProblem refuses what JSON can say and storage cannot hold.
    .transform((attributes) => (attributes ?? {}) as JsonObject)
    .superRefine((attributes, context) => {
      const message = attributesProblem(attributes)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })
    .meta({
      description: 'Attributes of your own: any JSON, 16 KB and 8 levels at most.',
      example: { costCenter: '4711' },
    }),
})

/** A parsed profile: every member present, absent ones null (or empty). */
export type UserProfile = z.output<typeof userProfile>

export const PROFILE_FIELDS = Object.keys(userProfile.shape) as (keyof UserProfile)[]

function orNull<T>(value: T | null | undefined): T | null {
  return value ?? null
}

function emptyToNull<T extends object>(value: T | null | undefined): T | null {
  return value === null || value === undefined || Object.values(value).every((part) => part === null) ? null : value
}

function canonical(read: (text: string) => string | undefined, message: string) {
  return z
    .string()
    .max(64)
    .transform((text, context) => {
      const value = read(text)
      if (value !== undefined) return value
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
    .nullish()
    .transform(orNull)
}

type Emails = z.output<typeof email>[]

function oneOfEach(emails: Emails, context: z.core.$RefinementCtx): void {
  const seen = new Set<string>()
  emails.forEach(({ value }, index) => {
    const key = emailKey(value)
    if (seen.has(key)) {
      context.addIssue({ code: 'custom', message: 'is listed twice', path: [index, 'value'] })
    }
    seen.add(key)
  })
  if (emails.filter(({ primary }) => primary).length > 1) {
    context.addIssue({ code: 'custom', message: 'more than one e-mail is primary' })
  }
}

function withPrimary(emails: Emails): Emails {
  if (emails.length === 0 || emails.some(({ primary }) => primary)) return emails
  return emails.map((one, index) => (index === 0 ? { ...one, primary: true } : one))
}
