import type { App } from '@rollcall/http'
import { z } from 'zod'
import type { RunningProjections } from '../run-projections.js'
import { addRollCallRoutes } from './add-roll-call-routes.js'
import { addRebuildRoutes, type RebuildActs } from './rebuild-routes.js'
import { streamWork } from './stream-work.js'

/** HTTP status of the library's errors, to be spread into a service's own map. */
export const PROJECTION_PROBLEMS: Readonly<Record<string, number>> = {
  ERR_PROJECTION_UNKNOWN: 404,
  ERR_PROJECTION_REBUILD_RUNNING: 409,
  ERR_PROJECTION_REBUILD_FAILED: 409,
  ERR_PROJECTION_SIDE_MISSING: 409,
  ERR_PROJECTION_SIDES_APART: 503,
  ERR_PROJECTION_USER_NOT_PARKED: 404,
  ERR_PROJECTION_BEHIND: 503,
  ERR_PROJECTION_FORM_UNSUPPORTED: 422,
  ERR_PROJECTION_REGISTRY_UNKNOWN: 501,
  ERR_PROJECTION_REGISTRY_UNAVAILABLE: 503,
  ERR_PROJECTION_REPLAY_TOO_LARGE: 422,
}

/**
 * Adds the operator's door: `GET /admin/projections`, `POST /admin/projections/{name}/pause` and `…/resume`, what
 * `addRebuildRoutes` and `addRollCallRoutes` add, `/admin/projections/{name}/dead-letters` for its parked users, and `…/verify`
 * and `…/replay`, which answer NDJSON while they work.
 * They act on all processes that run the projection, through its database.
 */
export function addProjectionAdmin(
  app: App,
  projections: RebuildActs &
    Pick<
      RunningProjections,
      | 'pause'
      | 'resume'
      | 'deadLetters'
      | 'userProgress'
      | 'usersProgress'
      | 'follow'
      | 'verify'
      | 'replay'
      | 'rehearse'
    >,
): void {
  const tags = ['operations']
  const named = { params: z.object({ name: z.string().min(1).max(38) }), tags }

  app.get(
    '/admin/projections',
    { schema: { tags, summary: 'State, positions and lag of every projection' } },
    async () => ({
      items: await projections.status(),
    }),
  )

  app.post(
    '/admin/projections/:name/pause',
    { schema: { ...named, summary: 'Stop applying, in every process, until resumed; survives restarts' } },
    async ({ params }, reply) => {
      await projections.pause(params.name)
      return reply.code(200).send(await statusOf(params.name))
    },
  )

  app.post(
    '/admin/projections/:name/resume',
    { schema: { ...named, summary: 'Go on after a pause, and try stopped partitions again' } },
    async ({ params }, reply) => {
      await projections.resume(params.name)
      return reply.code(200).send(await statusOf(params.name))
    },
  )

  addRebuildRoutes(app, projections, actorOf)

  app.post(
    '/admin/projections/:name/rehearse',
    {
      schema: {
        ...named,
        summary: 'Would this build take these record values? Each in a transaction that is rolled back',
        body: z.strictObject({ values: z.array(z.base64()).min(1).max(1_000) }),
      },
    },
    async ({ params, body }) => ({
      outcomes: await projections.rehearse(
        params.name,
        body.values.map((value) => Buffer.from(value, 'base64')),
      ),
    }),
  )

  const letters = '/admin/projections/:name/dead-letters'
  const ofUser = { params: named.params.extend({ userId: z.uuid() }), tags }

  app.get(
    letters,
    {
      schema: {
        ...named,
        summary: 'Parked users, the longest parked first, and unreadable records that name no user',
        querystring: z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(100) }),
      },
    },
    ({ params, query }) => projections.deadLetters(params.name).list(query.limit),
  )

  app.get(
    `${letters}/:userId`,
    { schema: { ...ofUser, summary: 'Why a user is parked, and what waits' } },
    ({ params }) => projections.deadLetters(params.name).show(params.userId),
  )

  app.post(
    `${letters}/:userId/what-if`,
    { schema: { ...ofUser, summary: 'What a retry would change, row by row; changes nothing' } },
    ({ params }) => projections.deadLetters(params.name).whatIf(params.userId),
  )

  app.post(
    `${letters}/:userId/retry`,
    { schema: { ...ofUser, summary: 'Apply what waits, in order, until something fails again' } },
    ({ params }) => projections.deadLetters(params.name).retry(params.userId, actorOf()),
  )

  app.post(
    `${letters}/:userId/discard`,
    {
      schema: {
        ...ofUser,
        summary: 'Pass over the first waiting record, or all; the reason is kept',
        body: z.strictObject({
          reason: z.string().trim().min(3).max(500),
          all: z.boolean().default(false),
          dryRun: z.boolean().default(false),
        }),
      },
    },
    ({ params, body }) => projections.deadLetters(params.name).discard(params.userId, { ...body, actor: actorOf() }),
  )

  app.post(
    '/admin/projections/:name/verify',
    {
      schema: {
        ...named,
        summary: 'Compare with the user registry, and mend by key; NDJSON: progress, then the report',
        body: verifyBody,
      },
    },
    async ({ params, body }, reply) => {
      await streamWork(reply, (hooks) => projections.verify(params.name, { ...body, ...hooks, actor: actorOf() }))
      return reply
    },
  )

  app.post(
    '/admin/projections/:name/replay',
    {
      schema: {
        ...named,
        summary: 'Apply events once more that are applied already; NDJSON: progress, then the report',
        body: replayBody,
      },
    },
    async ({ params, body }, reply) => {
      const { since, fromVersion, ...rest } = body
      const from = since === undefined ? (fromVersion as number) : new Date(since)
      await streamWork(reply, (hooks) => projections.replay(params.name, { ...rest, ...hooks, from, actor: actorOf() }))
      return reply
    },
  )

  addRollCallRoutes(app, projections)

  const statusOf = async (name: string) => (await projections.status()).find((one) => one.name === name)
}

const verifyBody = z.strictObject({
  content: z.boolean().default(false).meta({ description: 'Compare the rows too; `table` projections.' }),
  repair: z.boolean().default(false),
  dryRun: z.boolean().default(false).meta({ description: 'With repair: only say what would be mended.' }),
  waitMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(5_000)
    .meta({ description: 'How long users on their way are waited for.' }),
  limit: z.int().min(0).max(10_000).default(1_000).meta({ description: 'Most differences listed; all are counted.' }),
})

const replayBody = z
  .strictObject({
    since: z.iso.datetime({ offset: true }).optional().meta({ description: 'Events stamped since.' }),
    fromVersion: z.int().min(1).optional().meta({ description: 'Events of this version or a later one, of one user.' }),
    userId: z.uuid().optional(),
    reason: z.string().trim().min(3).max(500),
    dryRun: z.boolean().default(false),
  })
  .refine(({ since, fromVersion }) => (since === undefined) !== (fromVersion === undefined), {
    path: ['since'],
    error: 'either since or fromVersion is needed',
  })
  .refine(({ fromVersion, userId }) => fromVersion === undefined || userId !== undefined, {
    path: ['userId'],
    error: 'fromVersion counts versions of one user: name it',
  })

// Until tokens arrive there is one local principal.
const actorOf = () => 'local'
