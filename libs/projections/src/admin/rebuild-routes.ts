import type { App } from '@rollcall/http'
import { z } from 'zod'
import type { RunningProjections } from '../run-projections.js'

export type RebuildActs = Pick<
  RunningProjections,
  'status' | 'rebuild' | 'planRebuild' | 'cutOver' | 'rollBack' | 'abandonRebuild'
>

/** `/admin/projections/{name}/rebuild` and what can be done with the sides it makes. */
export function addRebuildRoutes(app: App, projections: RebuildActs, actorOf: () => string): void {
  const named = { params: z.object({ name: z.string().min(1).max(38) }), tags: ['operations'] }
  const at = '/admin/projections/:name'
  const statusOf = async (name: string) => (await projections.status()).find((one) => one.name === name)

  app.get(
    `${at}/rebuild`,
    { schema: { ...named, summary: 'What a rebuild would do, and how long it would take; does nothing' } },
    ({ params }) => projections.planRebuild(params.name),
  )

  app.post(
    `${at}/rebuild`,
    {
      schema: {
        ...named,
        summary: 'Build the read model anew beside the live one; ask for its progress with GET /admin/projections',
        body: z
          .strictObject({
            cutOver: z.enum(['when-equal', 'always']).optional(),
            keepMs: z.number().int().min(0).max(MAX_KEEP_MS).optional(),
          })
          .nullish(),
      },
    },
    async ({ params, body }, reply) => {
      const { cutOver, keepMs } = body ?? {}
      await projections.rebuild(params.name, {
        ...(cutOver === undefined ? {} : { cutOver }),
        ...(keepMs === undefined ? {} : { keepMs }),
      })
      return reply.code(202).send(await statusOf(params.name))
    },
  )

  app.post(
    `${at}/cut-over`,
    { schema: { ...named, summary: 'Put the side that was built in place of the live one, with its differences' } },
    async ({ params }) => {
      await projections.cutOver(params.name, actorOf())
      return statusOf(params.name)
    },
  )

  app.post(
    `${at}/roll-back`,
    { schema: { ...named, summary: 'Go back to the side from before the last cut-over' } },
    async ({ params }) => {
      await projections.rollBack(params.name, actorOf())
      return statusOf(params.name)
    },
  )

  app.post(
    `${at}/abandon-rebuild`,
    { schema: { ...named, summary: 'Drop the side that is being built, or was built and not taken' } },
    async ({ params }) => {
      await projections.abandonRebuild(params.name, actorOf())
      return statusOf(params.name)
    },
  )
}

const MAX_KEEP_MS = 30 * 24 * 3_600_000
