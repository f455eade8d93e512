import type { App } from '@rollcall/http'
import { z } from 'zod'
import type { RunningProjections } from '../run-projections.js'

/** HTTP status of the library's errors, to be spread into a service's own map. */
export const PROJECTION_PROBLEMS: Readonly<Record<string, number>> = {
  ERR_PROJECTION_UNKNOWN: 404,
  ERR_PROJECTION_REBUILD_RUNNING: 409,
  ERR_PROJECTION_BEHIND: 503,
}

/**
 * Adds the operator's door: `GET /admin/projections`, `POST /admin/projections/{name}/pause`, `…/resume`, `…/rebuild`.
 * They act on all processes that run the projection, through its database.
 */
export function addProjectionAdmin(
  app: App,
  projections: Pick<RunningProjections, 'status' | 'pause' | 'resume' | 'rebuild'>,
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

  const statusOf = async (name: string) => (await projections.status()).find((one) => one.name === name)
}
