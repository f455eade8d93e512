import type { Readable } from 'node:stream'
import type { App } from '@rollcall/http'
import { z } from 'zod'
import { appliedStream } from '../roll-call/applied-stream.js'
import type { RunningProjections } from '../run-projections.js'

const MOST_USERS = 1_000

/**
 * The roll call's questions: how far a projection is with one user or with many, and a stream of what this process
 * applies. A registry in which hundreds of writes a second wait follows the stream and asks about the rest in bundles.
 */
export function addRollCallRoutes(
  app: App,
  projections: Pick<RunningProjections, 'userProgress' | 'usersProgress' | 'follow'>,
): void {
  const tags = ['operations']
  const params = z.object({ name: z.string().min(1).max(40) })

  app.get(
    '/admin/projections/:name/users/:userId',
    {
      schema: {
        params: params.extend({ userId: z.uuid() }),
        tags,
        summary: 'The version of a user that is applied here, and why it is parked if it is',
      },
    },
    ({ params }) => projections.userProgress(params.name, params.userId),
  )

  app.post(
    '/admin/projections/:name/users/progress',
    {
      schema: {
        params,
        tags,
        summary: 'The versions of many users that are applied here, and since when the parked ones are',
        body: z.strictObject({ userIds: z.array(z.uuid()).min(1).max(MOST_USERS) }),
      },
    },
    async ({ params, body }) => ({ users: await projections.usersProgress(params.name, body.userIds) }),
  )

  const open = new Set<Readable>()
  app.addHook('preClose', (done) => {
    for (const stream of open) stream.push(null)
    done()
  })

  app.get(
    '/admin/projections/:name/applied',
    {
      schema: {
        params,
        tags,
        summary: 'What this process applies from now on, a line of JSON per moment, until hung up',
      },
    },
    ({ params }, reply) => {
      const stream = appliedStream((listener) => projections.follow(params.name, listener))
      open.add(stream)
      stream.once('close', () => open.delete(stream))
      return reply.type('application/x-ndjson').send(stream)
    },
  )
}
