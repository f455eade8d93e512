import { type Sql, uniqueViolation } from '@rollcall/database'
import { RollcallError } from '@rollcall/errors'
import type { EventCodec, UserLifecycleEvent } from '@rollcall/events'
import { type EntityTags, ifMatchAllows, PreconditionFailedError } from '@rollcall/http'
import { step } from '@rollcall/observability'
import { findAnswer, type IdempotentRequest, keepAnswer } from '../idempotency/answer-store.js'
import { IdempotencyInProgressError } from '../idempotency/idempotency-errors.js'
import { isLostRace } from '../lost-race.js'
import type { Principal } from '../principal.js'
import { PROBLEMS } from '../problems.js'
import { type Decision, decideChange, decideCreation } from './decide.js'
import { findUser } from './find-user.js'
import { type PublicUser, toPublicUser } from './public-user.js'
import { takenError } from './taken-error.js'
import type { ChangeCommand, DecisionContext, UserState } from './user.js'
import { UserContendedError, UserInvalidError } from './user-errors.js'
import type { UserProfile } from './user-profile.js'
import { encodeUserRecord } from './user-record.js'
import { createUserTurns, type Turn } from './user-turns.js'
import { writeUser } from './write-user.js'

/** What every write says about itself. */
export interface WriteRequest {
  readonly principal: Principal
  readonly correlationId: string
  readonly ifMatch?: EntityTags | undefined
  readonly idempotency?: IdempotentRequest | undefined
}

export interface WriteAnswer {
  readonly status: number
  readonly userId: string
  /** The user's version after the command. */
  readonly version: number
  /** The public user after the command, as JSON. */
  readonly body: string
  /** True when the answer was given before, to the same Idempotency-Key. */
  readonly replayed: boolean
}

export interface UserCommandsOptions {
  readonly sql: Sql
  readonly codec: Pick<EventCodec<UserLifecycleEvent>, 'encode'>
  /** Called after each committed change; wakes the relay. */
  readonly committed: () => void
  readonly now: () => Date
  readonly newId: () => string
  readonly gracePeriodMs: number
}

export interface UserCommands {
  create(profile: UserProfile, request: WriteRequest): Promise<WriteAnswer>
  change(userId: string, command: ChangeCommand, request: WriteRequest): Promise<WriteAnswer>
}

/**
 * The commands on one user: read, decide, write, and again when another writer came between. With If-Match the
 * decision is made on the named version or not at all; without, the last state counts.
 */
export function createUserCommands(options: UserCommandsOptions): UserCommands {
  const { sql, codec, committed } = options

  const takeTurns = createUserTurns()

  const context = ({ principal, correlationId }: WriteRequest): DecisionContext => ({
    tenantId: principal.tenantId,
    actor: principal.actor,
    correlationId,
    causationId: null,
    now: options.now(),
    eventId: options.newId(),
    gracePeriodMs: options.gracePeriodMs,
  })

  const write = async (decision: Decision, before: UserState | undefined, request: WriteRequest, status: number) => {
    const { user } = decision.next
    const document = JSON.stringify(toPublicUser(user))
    const { idempotency } = request
    const change = {
      decision,
      before,
      record: encodeUserRecord(decision.event, codec),
      document,
      ...(idempotency === undefined ? {} : { answer: { ...idempotency, status } }),
    }
    step('registry.writing')
    try {
      if (!(await writeUser(sql, change))) return undefined
    } catch (error) {
      throw (await takenError(sql, user, error)) ?? error
    }
    step('registry.written')
    committed()
    return { status, userId: user.id, version: user.version, body: document, replayed: false }
  }

  const decide = (state: UserState, command: ChangeCommand, request: WriteRequest) => {
    const { version } = state.user
    if (!ifMatchAllows(request.ifMatch, version)) throw new PreconditionFailedError(version)
    return decideChange(state, command, context(request))
  }

  const writeInTurn = async (turn: Turn, decision: Decision, before: UserState | undefined, request: WriteRequest) => {
    const answer = await write(decision, before, request, 200)
    if (answer !== undefined) turn.written = decision.next
    return answer
  }

  return {
    create(profile, request) {
      const userId = options.newId()
      return answered(sql, request, userId, () => {
        const decision = decideCreation({ type: 'CreateUser', userId, profile }, context(request))
        return write(decision, undefined, request, 201)
      })
    },
    change: (userId, command, request) =>
      takeTurns(`${request.principal.tenantId}/${userId}`, (turn) =>
        answered(sql, request, userId, async () => {
          const { written } = turn
          turn.written = undefined
          const guess = written && decideOrNot(() => decide(written, command, request))
          if (guess !== undefined) return writeInTurn(turn, guess, written, request)
          const state = await findUser(sql, request.principal.tenantId, userId)
          const decision = decide(state, command, request)
          if (decision !== undefined) return writeInTurn(turn, decision, state, request)
          const { version } = state.user
          const unchanged = { status: 200, userId, version, body: JSON.stringify(toPublicUser(state.user)) }
          // Not kept: a twin was first. Undefined asks for another round, which finds its answer.
          if (request.idempotency !== undefined && !(await keepAnswer(sql, request.idempotency, unchanged)))
            return undefined
          return { ...unchanged, replayed: false }
        }),
      ),
  }
}

// Only a write checks the state it was decided on: what a remembered state refuses is decided again on the one read.
function decideOrNot(decide: () => Decision | undefined): Decision | undefined {
  try {
    return decide()
  } catch {
    return undefined
  }
}

const MAX_ATTEMPTS = 20

type Attempt = () => Promise<WriteAnswer | undefined>

// One loop for three races: another version came first, Postgres chose us as the victim of a deadlock, or a request
// with the same Idempotency-Key was faster. The last shows up as any of the others: hence the look-up each time round.
async function answered(
  sql: Sql,
  { idempotency }: WriteRequest,
  userId: string,
  attempt: Attempt,
): Promise<WriteAnswer> {
  for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
    const known = await answerBefore(sql, idempotency)
    if (known !== undefined) return known
    try {
      const answer = await attempt()
      if (answer !== undefined) return answer
    } catch (error) {
      if (isLostRace(error) || uniqueViolation(error)?.constraint === 'idempotency_key_unique') continue
      if (idempotency === undefined || !isFinalRefusal(error)) throw error
      // Not kept: a twin of this request was first, and its success may be what refused this one. Round again.
      if (await keepAnswer(sql, idempotency, error)) throw error
    }
  }
  throw idempotency === undefined ? new UserContendedError(userId, MAX_ATTEMPTS) : new IdempotencyInProgressError()
}

async function answerBefore(sql: Sql, idempotency: IdempotentRequest | undefined): Promise<WriteAnswer | undefined> {
  const answer = idempotency && (await findAnswer(sql, idempotency))
  if (answer === undefined) return undefined
  const { id, version } = JSON.parse(answer.body) as PublicUser
  return { ...answer, userId: id, version, replayed: true }
}

// An invalid document is refused again whenever it comes; what the state refuses may depend on the hour. What we cannot
// do now (5xx) may be done in a moment: kept, "schemas not known yet" was the answer to a key for a whole day.
function isFinalRefusal(error: unknown): error is RollcallError {
  if (!(error instanceof RollcallError) || error.retryable || error instanceof UserInvalidError) return false
  const known: Readonly<Record<string, { status: number }>> = PROBLEMS
  return (known[error.code]?.status ?? 500) < 500
}
