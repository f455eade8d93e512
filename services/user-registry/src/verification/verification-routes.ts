import type { Sql } from '@rollcall/database'
import type { App } from '@rollcall/http'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { problemAnswers } from '../users/user-schemas.js'
import { userDigest, versionsInBuckets, versionsOfUsers } from './user-digest.js'

const MOST_BUCKETS = 65_536
const MOST_USERS = 1_000

const buckets = z.coerce
  .number()
  .int()
  .min(1)
  .max(MOST_BUCKETS)
  .refine((count) => (count & (count - 1)) === 0, 'must be a power of two')
  .default(1_024)
  .meta({ description: 'How many buckets the users are put into; a power of two.' })

const pairs = z
  .array(z.tuple([z.uuid(), z.int()]))
  .meta({ description: 'Id and version of each user.', example: [['0190c2f0-0000-7000-8000-000000000001', 3]] })

const digestSchema = z.object({
  at: z.iso.datetime().meta({ description: 'When the snapshot was taken.' }),
  snapshot: z.string().meta({ description: 'The snapshot, as Postgres names it.' }),
  buckets: z.int(),
  users: z.int(),
  items: z
    .array(z.tuple([z.int(), z.int(), z.string()]))
    .meta({ description: 'Bucket, users and hash; empty buckets are left out.' }),
})

/** The registry's side of a comparison with a read model: versions of all users, of every tenant, deleted ones too. */
export function addVerificationRoutes(app: App, { sql }: { readonly sql: Sql }): void {
  const tags = ['operations']

  app.get(
    '/admin/users/digest',
    {
      schema: {
        tags,
        summary: 'What the versions of all users come to, in buckets',
        querystring: z.strictObject({ buckets }),
        response: { 200: digestSchema, ...problemAnswers(400, 503) },
      },
    },
    async ({ query }, reply) => sendJson(reply, await userDigest(sql, query.buckets)),
  )

  app.get(
    '/admin/users/versions',
    {
      schema: {
        tags,
        summary: 'The versions of the users in some buckets',
        querystring: z.strictObject({ buckets, bucket: bucketList }),
        response: { 200: z.object({ items: pairs }), ...problemAnswers(400, 503) },
      },
    },
    async ({ query }, reply) =>
      sendJson(reply, { items: await versionsInBuckets(sql, query.buckets, query.bucket.split(',').map(Number)) }),
  )

  app.post(
    '/admin/users/versions',
    {
      schema: {
        tags,
        summary: `The versions of at most ${MOST_USERS} users; who is not known is left out`,
        body: z.strictObject({ userIds: z.array(z.uuid()).max(MOST_USERS) }),
        response: { 200: z.object({ items: pairs }), ...problemAnswers(400, 503) },
      },
    },
    async ({ body }, reply) => sendJson(reply, { items: await versionsOfUsers(sql, body.userIds) }),
  )
}

const bucketList = z
  .string()
  .regex(/^\d{1,5}(?:,\d{1,5}){0,1023}$/, 'must be at most 1,024 numbers of buckets, separated by commas')

// As ready text: checking a hundred thousand pairs against the schema of the answer costs more than reading them.
function sendJson(reply: FastifyReply, answer: unknown): never {
  return reply.code(200).type('application/json; charset=utf-8').send(JSON.stringify(answer)) as never
}
