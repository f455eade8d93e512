import type { Sql } from '@rollcall/database'
import { type App, RequestInvalidError } from '@rollcall/http'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Principal } from '../principal.js'
import { findUser } from '../users/find-user.js'
import { problemAnswers, userIdParams } from '../users/user-schemas.js'
import { progressOf } from './propagation.js'
import type { Subscribers } from './subscribers.js'
import type { AskUser } from './user-questions.js'

const propagationQuery = z.strictObject({
  version: z.coerce.number().int().min(1).optional().meta({ description: 'The current version unless told.' }),
})

const propagationSchema = z.object({
  userId: z.uuid(),
  version: z.int(),
  subscribers: z.array(
    z.object({
      service: z.string(),
      projection: z.string(),
      status: z.enum(['applied', 'pending', 'parked', 'unreachable']),
      version: z.int().nullable().meta({ description: 'The version it has applied; null when it cannot be asked.' }),
      lagRecords: z.int().nullable().meta({ description: 'Records left in the partition of the user.' }),
      since: z.iso.datetime().nullable(),
      instance: z.string(),
    }),
  ),
})

export interface PropagationRouteOptions {
  readonly sql: Sql
  readonly subscribers: Subscribers
  readonly ask: AskUser
  readonly principalOf: (request: FastifyRequest) => Principal
}

/** Who has applied a change: each subscriber is asked now. */
export function addPropagationRoute(app: App, { sql, subscribers, ask, principalOf }: PropagationRouteOptions): void {
  app.get(
    '/v1/users/:id/propagation',
    {
      schema: {
        tags: ['users'],
        summary: 'Which services have applied a change of a user',
        params: userIdParams,
        querystring: propagationQuery,
        response: { 200: propagationSchema, ...problemAnswers(400, 404, 503) },
      },
    },
    async (request) => {
      const { id: userId } = request.params
      const { user } = await findUser(sql, principalOf(request).tenantId, userId)
      const { version = user.version } = request.query
      if (version > user.version) {
        const detail = `the user is at version ${user.version}`
        throw new RequestInvalidError([{ pointer: '/version', detail, in: 'query' }])
      }
      const change = { userId, version, changedAt: version === user.version ? user.updatedAt : undefined }
      const all = await Promise.all(subscribers.known().map((one) => progressOf(one, change, ask)))
      return { userId, version, subscribers: all }
    },
  )
}
