import type { Sql } from '@rollcall/database'
import type { EventCodec, JsonObject, User, UserLifecycleEvent } from '@rollcall/events'
import { type App, etagOf, ifNoneMatchHolds, parseEntityTags, RequestInvalidError } from '@rollcall/http'
import { currentRequest, step } from '@rollcall/observability'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { IdempotencyKeyInvalidError, ReplayedRefusalError } from '../idempotency/idempotency-errors.js'
import { requestHash } from '../idempotency/request-hash.js'
import type { Principal } from '../principal.js'
import {
  type PropagationTools,
  type WaitQuery,
  waitForPropagation,
  waitQuery,
} from '../propagation/wait-for-propagation.js'
import { findUser } from './find-user.js'
import { listUsers } from './list-users.js'
import { toPublicUser } from './public-user.js'
import { stateEvent } from './state-event.js'
import type { ChangeCommand } from './user.js'
import type { UserCommands, WriteAnswer, WriteRequest } from './user-commands.js'
import { UserInvalidError } from './user-errors.js'
import { toArchivedEvent, userEvents } from './user-events.js'
import { userHistory } from './user-history.js'
import {
  archivedEventSchema,
  changeHeaders,
  eventsQuery,
  eventsSchema,
  historyPageSchema,
  historyQuery,
  listQuery,
  newUserSchema,
  problemAnswers,
  publicUserSchema,
  readHeaders,
  userIdParams,
  userPageSchema,
  userPatchSchema,
  writeHeaders,
} from './user-schemas.js'

export interface UserRoutesOptions {
  readonly sql: Sql
  readonly codec: Pick<EventCodec<UserLifecycleEvent>, 'decode' | 'encode'>
  /** Ids of events. */
  readonly newId: () => string
  readonly commands: UserCommands
  readonly propagation: PropagationTools
  readonly principalOf: (request: FastifyRequest) => Principal
}

/** The REST door to the user commands. Answers are sent as ready JSON text: it was made once, for the audit row and the idempotent answer. */
export function addUserRoutes(app: App, options: UserRoutesOptions): void {
  const { sql, codec, newId, commands, propagation, principalOf } = options
  const tags = ['users']

  app.post(
    '/v1/users',
    {
      schema: {
        tags,
        summary: 'Create a user',
        headers: writeHeaders,
        querystring: waitQuery,
        body: newUserSchema,
        response: { 201: publicUserSchema, ...problemAnswers(400, 409, 422, 503) },
      },
    },
    (request, reply) =>
      answer(request, reply, () => commands.create(request.body, writeRequest(request, principalOf(request)))),
  )

  app.get(
    '/v1/users/:id',
    {
      schema: {
        tags,
        summary: 'Read a user',
        params: userIdParams,
        headers: readHeaders,
        response: { 200: publicUserSchema, ...problemAnswers(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const { user } = await findUser(sql, principalOf(request).tenantId, request.params.id)
      reply.header('etag', etagOf(user.version))
      if (ifNoneMatchHolds(parseEntityTags(request.headers['if-none-match']), user.version)) {
        sendText(reply, 304, '')
        return
      }
      sendText(reply, 200, JSON.stringify(toPublicUser(user)))
    },
  )

  app.get(
    '/v1/users',
    {
      schema: {
        tags,
        summary: 'List users',
        description: 'Pages by keyset: users that come, go or change meanwhile neither repeat nor hide others.',
        querystring: listQuery,
        response: { 200: userPageSchema, ...problemAnswers(400, 503) },
      },
    },
    async (request, reply) => {
      const { sort, limit, cursor, status, ...filter } = request.query
      const { users, nextCursor } = await listUsers(sql, {
        tenantId: principalOf(request).tenantId,
        filter: { ...filter, status: [...new Set(status.split(','))].sort() as User['status'][] },
        sort,
        limit,
        cursor,
      })
      sendText(reply, 200, JSON.stringify({ items: users.map(toPublicUser), nextCursor }))
    },
  )

  app.patch(
    '/v1/users/:id',
    {
      schema: {
        tags,
        summary: 'Change a user',
        description: 'A patch that changes nothing makes no new version.',
        consumes: ['application/merge-patch+json', 'application/json'],
        params: userIdParams,
        headers: changeHeaders,
        querystring: waitQuery,
        body: userPatchSchema,
        response: { 200: publicUserSchema, ...problemAnswers(400, 404, 409, 412, 422, 503) },
      },
    },
    (request, reply) => change(request, reply, { type: 'UpdateUser', patch: request.body as JsonObject }),
  )

  const acts = [
    ['suspend', { type: 'SuspendUser' }, 'Suspend an active user'],
    ['reactivate', { type: 'ReactivateUser' }, 'Make a suspended user active again'],
    ['restore', { type: 'RestoreUser' }, 'Restore a deleted user, until its purgeAt'],
  ] as const
  for (const [act, command, summary] of acts) {
    app.post(
      `/v1/users/:id/${act}`,
      { schema: { ...changeSchema, tags, summary, body: emptyBody } },
      (request, reply) => change(request, reply, command),
    )
  }

  app.delete(
    '/v1/users/:id',
    {
      schema: {
        ...changeSchema,
        tags,
        summary: 'Delete a user',
        description:
          'The user stays readable and keeps its userName and addresses until purgeAt; it can be restored until then.',
      },
    },
    (request, reply) => change(request, reply, { type: 'DeleteUser' }),
  )

  app.get(
    '/v1/users/:id/history',
    {
      schema: {
        tags,
        summary: 'What happened to a user',
        description: 'Its events, oldest first, as far back as the outbox archive is kept.',
        params: userIdParams,
        querystring: historyQuery,
        response: { 200: historyPageSchema, ...problemAnswers(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await findUser(sql, principalOf(request).tenantId, id)
      sendText(reply, 200, JSON.stringify(await userHistory(sql, codec, id, request.query)))
    },
  )

  app.get(
    '/v1/users/:id/events',
    {
      schema: {
        tags,
        summary: 'Events of a user, byte for byte',
        description: 'For read models that miss versions: all of `from` to `to`, or 410 when the archive lacks one.',
        params: userIdParams,
        querystring: eventsQuery,
        response: { 200: eventsSchema, ...problemAnswers(400, 404, 410, 503) },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      await findUser(sql, principalOf(request).tenantId, id)
      sendText(reply, 200, JSON.stringify(await userEvents(sql, codec, id, request.query)))
    },
  )

  app.get(
    '/v1/users/:id/state',
    {
      schema: {
        tags,
        summary: 'The whole state of a user, as an event of its last version',
        description: 'For read models that miss versions which the archive no longer has.',
        params: userIdParams,
        response: { 200: archivedEventSchema, ...problemAnswers(400, 404, 503) },
      },
    },
    async (request, reply) => {
      const state = await findUser(sql, principalOf(request).tenantId, request.params.id)
      const event = stateEvent(state, {
        eventId: newId(),
        correlationId: currentRequest()?.correlationId ?? request.id,
      })
      sendText(reply, 200, JSON.stringify(toArchivedEvent(event, codec.encode(event))))
    },
  )

  async function answer(
    { query }: { readonly query: WaitQuery },
    reply: FastifyReply,
    command: () => Promise<WriteAnswer>,
  ): Promise<void> {
    try {
      const { status, userId, version, body, replayed } = await command()
      reply.headers({ etag: etagOf(version), 'rollcall-version': `${userId}@${version}` })
      if (status === 201) reply.header('location', `/v1/users/${userId}`)
      if (replayed) reply.header('idempotency-replayed', 'true')
      if (query.wait !== undefined) {
        reply.header('rollcall-propagation', await waitForPropagation(propagation, { userId, version }, query))
      }
      sendText(reply, status, body)
      step('registry.answered')
    } catch (error) {
      if (error instanceof ReplayedRefusalError) reply.header('idempotency-replayed', 'true')
      throw error instanceof UserInvalidError ? new RequestInvalidError(error.problems) : error
    }
  }

  const change = (request: ChangeRequest, reply: FastifyReply, command: ChangeCommand) =>
    answer(request, reply, () =>
      commands.change(request.params.id, command, writeRequest(request, principalOf(request))),
    )
}

const changeSchema = {
  params: userIdParams,
  querystring: waitQuery,
  headers: changeHeaders,
  response: { 200: publicUserSchema, ...problemAnswers(400, 404, 409, 412, 422, 503) },
}

// An act says everything by its address; a body would be something the caller believes in and nobody reads.
const emptyBody = z.strictObject({}).nullish().meta({ description: 'No body.' })

type ChangeRequest = FastifyRequest & { params: { id: string }; query: WaitQuery }

function writeRequest(request: FastifyRequest, principal: Principal): WriteRequest {
  const { headers } = request
  const ifMatch = headers['if-match']
  return {
    principal,
    correlationId: currentRequest()?.correlationId ?? request.id,
    ifMatch: parseEntityTags(ifMatch),
    idempotency: idempotencyOf(request, principal),
  }
}

function idempotencyOf({ method, url, headers, body }: FastifyRequest, { tenantId, actor }: Principal) {
  const key = headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) throw new IdempotencyKeyInvalidError()
  const ifMatch = headers['if-match']
  return {
    tenantId,
    principal: `${actor.type}:${actor.id}`,
    key,
    requestHash: requestHash({ method, target: url, ifMatch, body }),
  }
}

function sendText(reply: FastifyReply, status: number, text: string): void {
  reply.code(status).type('application/json; charset=utf-8').send(text)
}
