import type { App } from '@rollcall/http'
import { z } from 'zod'
import type { RunningProjections } from '../run-projections.js'
import { addRollCallRoutes } from './add-roll-call-routes.js'

/** HTTP status of the library's errors, to be spread into a service's own map. */
export const PROJECTION_PROBLEMS: Readonly<Record<string, number>> = {
  ERR_PROJECTION_UNKNOWN: 404,
  ERR_PROJECTION_REBUILD_RUNNING: 409,
  ERR_PROJECTION_USER_NOT_PARKED: 404,
  ERR_PROJECTION_BEHIND: 503,
}

/**
 * Adds the operator's door: `GET /admin/projections`, `POST /admin/projections/{name}/pause`, `…/resume`, `…/rebuild`, and
 * `/admin/projections/{name}/dead-letters` for its parked users; and what `addRollCallRoutes` adds.
 * They act on all processes that run the projection, through its database.
 */
export function addProjectionAdmin(
  app: App,
  projections: Pick<
    RunningProjections,
    'status' | 'pause' | 'resume' | 'rebuild' | 'deadLetters' | 'userProgress' | 'usersProgress' | 'follow'
  >,
): void {
  const tags = ['operations']
  const named = { params: z.object({ name: z.string().min(1).max(40) }), tags }

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

  app.post(
    '/admin/projections/:name/rebuild',
    { schema: { ...named, summary: 'Build the read model anew from the topic; ask for its progress with GET' } },
    async ({ params }, reply) => {
      await projections.rebuild(params.name)
      return reply.code(202).send(await statusOf(params.name))
    },
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

  addRollCallRoutes(app, projections)

  const statusOf = async (name: string) => (await projections.status()).find((one) => one.name === name)
}

// Until tokens arrive there is one local principal.
const actorOf = () => 'local'
