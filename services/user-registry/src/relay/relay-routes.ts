import { recordAudit } from '@rollcall/audit-trail'
import { type Pool, withTransaction } from '@rollcall/database'
import { RollcallError } from '@rollcall/errors'
import { type App, RequestInvalidError } from '@rollcall/http'
import { planRepublish, type Relay, readRepublish, relayStatus, requestRepublish } from '@rollcall/outbox'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Principal } from '../principal.js'
import { PROBLEMS } from '../problems.js'

/** No republish has the id. */
export class RepublishNotFoundError extends RollcallError {
  constructor(id: number) {
    super({ code: 'ERR_REPUBLISH_NOT_FOUND', message: `There is no republish ${id}.`, facts: { id } })
  }
}

export interface RelayRoutesOptions {
  readonly pool: Pool
  readonly relay: Pick<Relay, 'status'>
  readonly principalOf: (request: FastifyRequest) => Principal
}

const republishBody = z
  .strictObject({
    userId: z.uuid().optional(),
    since: z.iso.datetime({ offset: true }).optional(),
    reason: z.string().trim().min(1).max(1_000),
    dryRun: z.boolean().default(false),
  })
  .refine(({ userId, since }) => (userId === undefined) !== (since === undefined), {
    error: 'give either userId or since',
    path: ['userId'],
  })

/** What an operator asks of the relay: where it stands, and to send messages once more. Any relay process takes the request; the leading one does it. */
export function addRelayRoutes(app: App, { pool, relay, principalOf }: RelayRoutesOptions): void {
  app.get('/status', async () => {
    const { error: _, ...process } = relay.status()
    return { process, outbox: await relayStatus(pool) }
  })

  app.post('/admin/republish', { schema: { body: republishBody } }, async (request, reply) => {
    const { userId, since, reason, dryRun } = request.body
    const scope = userId === undefined ? { since: new Date(since as string) } : { aggregateId: userId }
    if ('since' in scope && scope.since.getTime() > Date.now()) {
      throw new RequestInvalidError([{ pointer: '/since', detail: 'is in the future', in: 'body' }])
    }
    const plan = await planRepublish(pool, scope)
    if (dryRun || plan.messages === 0) return { id: null, ...plan }
    const { tenantId, actor } = principalOf(request)
    const id = await withTransaction(pool, async (client) => {
      const job = await requestRepublish(client, scope, reason)
      await recordAudit(client, [
        {
          tenantId,
          actor,
          action: 'outbox.republish',
          targetType: userId === undefined ? 'outbox' : 'user',
          targetId: userId ?? 'outbox',
          correlationId: request.id,
          outcome: 'done',
          after: { republish: job, since: since ?? null, reason, messages: plan.messages },
        },
      ])
      return job
    })
    reply.code(202)
    return { id, ...plan }
  })

  app.get(
    '/admin/republish/:id',
    { schema: { params: z.strictObject({ id: z.coerce.number().int().positive() }) } },
    async (request) => {
      const job = await readRepublish(pool, request.params.id)
      if (job === undefined) throw new RepublishNotFoundError(request.params.id)
      return job
    },
  )
}

/** HTTP statuses of the relay's own errors. */
export const RELAY_PROBLEMS = { ERR_REPUBLISH_NOT_FOUND: PROBLEMS.ERR_REPUBLISH_NOT_FOUND.status }
