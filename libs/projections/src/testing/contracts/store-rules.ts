import assert from 'node:assert/strict'
import type { Parking } from '../../parking/parking.js'
import type { PartitionFailure } from '../../parking/partition-failure.js'
import type { RebuildProgress } from '../../rebuild/rebuild-progress.js'
import type { Claim, Move, ProjectionStore, StoreTransaction } from '../../store/projection-store.js'
import type { Rule } from './rule.js'

/** A store on a database of its own, and a look at the table `contract_row (user_id uuid PRIMARY KEY, name text)` in it. */
export interface StoreSubject {
  readonly store: ProjectionStore<unknown>
  rows(): Promise<readonly { readonly user_id: string; readonly name: string | null }[]>
}

/** The rules of a `ProjectionStore`: the simulator's and the real ones are held to the same, so that they cannot drift apart. */
export const storeRules: readonly Rule<StoreSubject>[] = [
  {
    name: 'a projection is registered once, by whoever is first',
    async check({ store }) {
      const rows = await Promise.all([store.register(PROJECTION, TOPIC), store.register(PROJECTION, TOPIC)])
      for (const { name, version, topic, state, rebuild, parkedUsers } of rows) {
        assert.deepEqual(
          { name, version, topic, state, rebuild, parkedUsers },
          { name: NAME, version: 1, topic: TOPIC, state: 'running', rebuild: null, parkedUsers: 0 },
        )
      }
      assert.equal((await store.register({ ...PROJECTION, version: 2 }, TOPIC)).version, 1)
      assert.deepEqual(await store.read(['nobody']), [])
    },
  },
  {
    name: 'a claim raises the epoch, keeps the position, and starts a new partition where it is told',
    async check({ store }) {
      await store.register(PROJECTION, TOPIC)
      const first = await store.claim(NAME, 'a', starts(7, 0))
      assert.deepEqual(byPartition(first), [
        { name: NAME, owner: 'a', partition: 0, position: 7, epoch: 1, parking: 0, haltAt: null },
        { name: NAME, owner: 'a', partition: 1, position: 0, epoch: 1, parking: 0, haltAt: null },
      ])
      await move(store, [to(claimOf(first, 0), 9)])
      const [again] = await store.claim(NAME, 'b', new Map([[0, 0]]))
      assert.deepEqual(again, { name: NAME, owner: 'b', partition: 0, position: 9, epoch: 2, parking: 0, haltAt: null })
      const [row] = await store.read([NAME])
      assert.equal(row?.checkpoints.find(({ partition }) => partition === 0)?.claimedBy, 'b')
    },
  },
  {
    name: 'an advance moves the position and answers the versions that are known',
    async check({ store }) {
      const claim = await opened(store)
      assert.deepEqual(await move(store, [to(claim, 1)], [A, B]), new Map())
      await store.transaction((transaction) => transaction.recordVersions(NAME, new Map([[A, 3]])))
      assert.deepEqual(await move(store, [to({ ...claim, position: 1 }, 2)], [A, B]), new Map([[A, 3]]))
      assert.equal(await positionOf(store), 2)
      assert.equal(await store.knownVersion(NAME, A), 3)
      assert.equal(await store.knownVersion(NAME, B), 0)
    },
  },
  {
    name: 'an advance under another epoch, position or parking misses',
    async check({ store }) {
      const claim = await opened(store)
      for (const other of [{ epoch: 9 }, { position: 4 }, { parking: 1 }]) {
        assert.equal(await move(store, [to({ ...claim, ...other }, 5)]), undefined)
      }
      assert.equal(await positionOf(store), 0)
    },
  },
  {
    name: 'an advance of several partitions misses when one of them is lost',
    async check({ store }) {
      await store.register(PROJECTION, TOPIC)
      const claims = await store.claim(NAME, 'a', starts(0, 0))
      await store.claim(NAME, 'b', new Map([[1, 0]]))
      assert.equal(await move(store, [to(claimOf(claims, 0), 5), to(claimOf(claims, 1), 5)]), undefined)
      assert.equal(await positionOf(store), 0)
    },
  },
  {
    name: 'a transaction that fails leaves nothing: no position, version, letter, row or act',
    async check({ store, rows }) {
      const claim = await opened(store)
      const failed = store.transaction(async (transaction) => {
        await transaction.advance([to(claim, 1)], [])
        await transaction.recordVersions(NAME, new Map([[A, 1]]))
        await transaction.park(NAME, [parking(0, B, 2, GAP)], LIMITS)
        await transaction.rows.upsert(TABLE, [{ user_id: A, name: 'Ada' }])
        await transaction.noteAct({ projection: NAME, act: 'test', actor: 'test' })
        throw new Error('on purpose')
      })
      await assert.rejects(failed, /on purpose/)
      assert.equal(await positionOf(store), 0)
      assert.equal(await store.knownVersion(NAME, A), 0)
      assert.equal((await store.listParked(NAME, 10)).totalUsers, 0)
      assert.deepEqual(await rows(), [])
    },
  },
  {
    name: 'what a transaction wrote is seen by itself, and by others after its commit',
    async check({ store, rows }) {
      const claim = await opened(store)
      const written = deferred()
      const release = deferred()
      const running = store.transaction(async (transaction) => {
        await transaction.advance([to(claim, 1)], [])
        await transaction.recordVersions(NAME, new Map([[A, 1]]))
        await transaction.rows.upsert(TABLE, [{ user_id: A, name: 'Ada' }])
        written.resolve()
        await release.promise
      })
      await written.promise
      assert.equal(await store.knownVersion(NAME, A), 0)
      assert.deepEqual(await rows(), [])
      assert.equal(await positionOf(store), 0)
      release.resolve()
      await running
      assert.equal(await store.knownVersion(NAME, A), 1)
      assert.deepEqual(await rows(), [{ user_id: A, name: 'Ada' }])
    },
  },
  {
    name: 'a claim waits for the batch in flight, and reads the position it left',
    async check({ store }) {
      const claim = await opened(store)
      const { release, ended } = await holding(store, to(claim, 6))
      const claiming = store.claim(NAME, 'b', new Map([[0, 0]]))
      await assertWaits(claiming)
      release()
      await ended
      assert.equal((await claiming)[0]?.position, 6)
    },
  },
  {
    name: 'an advance waits for another of the same partition, and misses once that is committed',
    async check({ store }) {
      const claim = await opened(store)
      const { release, ended } = await holding(store, to(claim, 6))
      const second = move(store, [to(claim, 6)])
      await assertWaits(second)
      release()
      await ended
      assert.equal(await second, undefined)
    },
  },
  {
    name: 'an advance waits for another of the same partition, and moves once that is rolled back',
    async check({ store }) {
      const claim = await opened(store)
      const { fail, ended } = await holding(store, to(claim, 6))
      const second = move(store, [to(claim, 4)])
      await assertWaits(second)
      fail()
      await ended
      assert.deepEqual(await second, new Map())
      assert.equal(await positionOf(store), 4)
    },
  },
  {
    name: 'advances that name the same partitions in another order wait for each other, and do not die',
    async check({ store }) {
      await store.register(PROJECTION, TOPIC)
      const claims = await store.claim(NAME, 'a', starts(0, 0))
      const moves = [to(claimOf(claims, 0), 3), to(claimOf(claims, 1), 3)]
      const both = await Promise.all([move(store, moves), move(store, [...moves].reverse())])
      assert.equal(both.filter((known) => known !== undefined).length, 1)
    },
  },
  {
    name: 'a circle of waiting transactions ends with an error that may pass, for one of them',
    async check({ store, rows }) {
      await opened(store)
      const meet = [deferred(), deferred()] as const
      const writeBoth = (first: string, second: string, mine: Deferred, other: Deferred) =>
        store.transaction(async (transaction) => {
          await transaction.rows.upsert(TABLE, [{ user_id: first, name: first }])
          mine.resolve()
          await other.promise
          await transaction.rows.upsert(TABLE, [{ user_id: second, name: first }])
        })
      const ends = await Promise.allSettled([writeBoth(A, B, meet[0], meet[1]), writeBoth(B, A, meet[1], meet[0])])
      const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
      assert.equal(failures.length, 1)
      assert.equal(store.isTransient(failures[0]), true)
      assert.equal((await rows()).length, 2)
    },
  },
  {
    name: 'rows are put in, changed, taken out and cleared',
    async check({ store, rows }) {
      await opened(store)
      const inside = (work: (transaction: StoreTransaction<unknown>) => Promise<void>) => store.transaction(work)
      await inside(({ rows: target }) =>
        target.upsert(TABLE, [
          { user_id: A, name: 'Ada' },
          { user_id: B, name: null },
        ]),
      )
      await inside(({ rows: target }) => target.upsert(TABLE, [{ user_id: A, name: 'Bea' }]))
      assert.deepEqual(await rows(), [
        { user_id: A, name: 'Bea' },
        { user_id: B, name: null },
      ])
      await inside(({ rows: target }) => target.remove(TABLE, [A]))
      assert.deepEqual(await rows(), [{ user_id: B, name: null }])
      await inside(({ rows: target }) => target.clear(TABLE.name))
      assert.deepEqual(await rows(), [])
    },
  },
  {
    name: 'a parked user is shown with the first failure it was parked for, and what waits',
    async check({ store }) {
      await opened(store)
      await store.transaction(async (transaction) => {
        await transaction.park(
          NAME,
          [parking(0, A, 2, GAP), parking(1, A, 3), parking(2, undefined, undefined, BROKEN)],
          LIMITS,
        )
      })
      // The same records again change nothing.
      await store.transaction(async (transaction) => {
        await transaction.park(NAME, [parking(0, A, 2, BROKEN), parking(1, A, 3)], LIMITS)
      })
      const user = await store.findParked(NAME, A)
      assert.deepEqual(
        { ...user, parkedAt: undefined },
        { userId: A, partition: 0, failures: [GAP], letters: 2, parkedAt: undefined },
      )
      const list = await store.listParked(NAME, 10)
      assert.deepEqual(
        { total: list.totalUsers, unnamed: list.unnamed },
        { total: 1, unnamed: [{ partition: 0, offset: 2, failure: BROKEN }] },
      )
      assert.deepEqual(
        await store.parkedUsers(NAME, [0, 1]),
        new Map([
          [0, new Set([A])],
          [1, new Set()],
        ]),
      )
      assert.equal((await store.read([NAME]))[0]?.parkedUsers, 1)
      assert.equal(await store.findParked(NAME, B), undefined)
      assert.deepEqual(await store.usersProgress(NAME, [B, A]), [
        { userId: B, version: 0, parkedSince: null },
        { userId: A, version: 0, parkedSince: user?.parkedAt },
      ])
    },
  },
  {
    name: 'what does not fit the limits of parking is answered, with its offset',
    async check({ store }) {
      await opened(store)
      const park = (parkings: readonly Parking[], limits = LIMITS) =>
        store.transaction((transaction) => transaction.park(NAME, parkings, limits))
      const users = await park([parking(4, A, 2, GAP), parking(5, B, 2, GAP)], { users: 1, lettersPerUser: 9 })
      assert.equal(users?.offset, 5)
      const letters = await park([parking(6, C, 2, GAP), parking(7, C, 3), parking(8, C, 4)], {
        users: 9,
        lettersPerUser: 2,
      })
      assert.equal(letters?.offset, 8)
    },
  },
  {
    name: 'an opened user’s letters come in order, and the owner of the partition is sent to look again',
    async check({ store }) {
      const claim = await opened(store)
      await store.transaction(async (transaction) => {
        await transaction.park(NAME, [parking(3, A, 2, GAP), parking(5, A, 4), parking(4, A, 3)], LIMITS)
        await transaction.recordVersions(NAME, new Map([[A, 1]]))
      })
      const open = (userId: string, limit: number) =>
        store.transaction((transaction) => transaction.openParked(NAME, userId, limit))
      const found = await open(A, 2)
      assert.deepEqual(
        found?.letters.map(({ offset, version, value }) => [offset, version, value.toString()]),
        [
          [3, 2, 'value'],
          [4, 3, 'value'],
        ],
      )
      assert.deepEqual(
        { knownVersion: found?.knownVersion, partition: found?.partition, failures: found?.failures },
        { knownVersion: 1, partition: 0, failures: [GAP] },
      )
      assert.equal(await move(store, [to(claim, 1)]), undefined)
      assert.deepEqual(await move(store, [to({ ...claim, parking: 1 }, 1)]), new Map())
      assert.equal(await open(B, 2), undefined)
    },
  },
  {
    name: 'opening a parked user waits for the batch in flight of its partition',
    async check({ store }) {
      const claim = await opened(store)
      await store.transaction((transaction) => transaction.park(NAME, [parking(3, A, 2, GAP)], LIMITS))
      const { release, ended } = await holding(store, to(claim, 6))
      const opening = store.transaction((transaction) => transaction.openParked(NAME, A, 9))
      await assertWaits(opening)
      release()
      await ended
      assert.equal((await opening)?.letters.length, 1)
      assert.equal(await positionOf(store), 6)
    },
  },
  {
    name: 'letters are dropped up to an offset, and with the last one the user is released',
    async check({ store }) {
      await opened(store)
      await store.transaction((transaction) =>
        transaction.park(NAME, [parking(3, A, 2, GAP), parking(4, A, 3), parking(5, A, 4)], LIMITS),
      )
      const drop = (upTo: number) => store.transaction((transaction) => transaction.dropLetters(NAME, A, upTo))
      assert.deepEqual(await drop(2), { dropped: 0, version: 0, left: 3 })
      assert.deepEqual(await drop(4), { dropped: 2, version: 3, left: 1 })
      assert.equal((await store.findParked(NAME, A))?.letters, 1)
      assert.deepEqual(await drop(5), { dropped: 1, version: 4, left: 0 })
      assert.equal(await store.findParked(NAME, A), undefined)
    },
  },
  {
    name: 'a gap is one while the last failure of its user is',
    async check({ store }) {
      await opened(store)
      await store.transaction((transaction) =>
        transaction.park(NAME, [parking(3, A, 2, GAP), parking(4, B, 2, BROKEN)], LIMITS),
      )
      assert.deepEqual(await store.gaps(NAME, 10), new Map([[A, GAP]]))
      await store.transaction((transaction) => transaction.addFailure(NAME, A, BROKEN))
      assert.deepEqual(await store.gaps(NAME, 10), new Map())
      assert.deepEqual((await store.findParked(NAME, A))?.failures, [GAP, BROKEN])
    },
  },
  {
    name: 'a partition is stopped by its owner alone, until it is claimed or resumed',
    async check({ store }) {
      const claim = await opened(store)
      const failureOf = async () => (await store.read([NAME]))[0]?.checkpoints[0]?.failure
      assert.equal(await store.fail({ ...claim, epoch: 8 }, BROKEN), false)
      assert.equal(await failureOf(), null)
      assert.equal(await store.fail(claim, BROKEN), true)
      assert.deepEqual(await failureOf(), BROKEN)
      await store.setState(NAME, 'running')
      assert.equal(await failureOf(), null)
      await store.fail(claim, BROKEN)
      await store.claim(NAME, 'b', new Map([[0, 0]]))
      assert.equal(await failureOf(), null)
    },
  },
  {
    name: 'a rewind begins anew: positions, versions, parked users, and every owner fenced',
    async check({ store }) {
      const claim = await opened(store)
      await move(store, [to(claim, 8)])
      await store.transaction(async (transaction) => {
        await transaction.recordVersions(NAME, new Map([[A, 3]]))
        await transaction.park(NAME, [parking(3, B, 2, GAP)], LIMITS)
      })
      await store.transaction((transaction) => transaction.rewind({ name: NAME, version: 2 }, starts(1, 0), REPLAY))
      const [row] = await store.read([NAME])
      assert.deepEqual(
        { version: row?.version, state: row?.state, phase: row?.rebuild?.phase, parked: row?.parkedUsers },
        { version: 2, state: 'rebuilding', phase: 'catching up', parked: 0 },
      )
      assert.deepEqual(
        row?.checkpoints.map(({ partition, position, epoch, claimedBy }) => ({
          partition,
          position,
          epoch,
          claimedBy,
        })),
        [
          { partition: 0, position: 1, epoch: 2, claimedBy: null },
          { partition: 1, position: 0, epoch: 1, claimedBy: null },
        ],
      )
      assert.equal(await store.knownVersion(NAME, A), 0)
      assert.equal(await move(store, [to({ ...claim, position: 1 }, 2)]), undefined)
    },
  },
  {
    name: 'a rebuild ends when it says so, and a pause outlives it',
    async check({ store }) {
      await opened(store)
      const stateOf = async () => (await store.read([NAME]))[0]?.state
      await store.setRebuild(NAME, REPLAY)
      assert.equal(await stateOf(), 'rebuilding')
      await store.setState(NAME, 'paused')
      await store.setRebuild(NAME, REPLAY)
      assert.equal(await stateOf(), 'paused')
      await store.setState(NAME, 'running')
      assert.equal(await stateOf(), 'rebuilding')
      await store.setRebuild(NAME, { ...REPLAY, phase: 'done' })
      assert.equal(await stateOf(), 'running')
    },
  },
]

const NAME = 'contract'
const PROJECTION = { name: NAME, version: 1 }
const TOPIC = 'users.lifecycle.v1'
const TABLE = { name: 'contract_row', key: 'user_id', columns: ['user_id', 'name'] }
const LIMITS = { users: 100, lettersPerUser: 100 }
const [A, B, C] = ['a', 'b', 'c'].map((digit) => `${digit.repeat(8)}-0000-7000-8000-000000000000`) as [
  string,
  string,
  string,
]

const failure = (code: string): PartitionFailure => ({
  code,
  message: 'for the contract',
  topic: TOPIC,
  partition: 0,
  offset: 3,
  at: '2026-01-05T08:00:00.000Z',
})
const GAP = failure('ERR_PROJECTION_VERSION_GAP')
const BROKEN = failure('ERR_PROJECTION_HANDLER_FAILED')

const REPLAY: RebuildProgress = {
  kind: 'replay',
  phase: 'catching up',
  events: 0,
  total: 10,
  startedAt: '2026-01-05T08:00:00.000Z',
  instance: 'contract',
  targets: { 0: 10 },
}

function parking(
  offset: number,
  userId: string | undefined,
  version: number | undefined,
  why?: PartitionFailure,
): Parking {
  const recordAt = new Date('2026-01-05T08:00:00.000Z')
  const letter = { partition: 0, offset, userId, version, eventId: undefined, eventType: undefined, recordAt }
  return { letter: { ...letter, value: Buffer.from('value') }, failure: why }
}

const starts = (...offsets: readonly number[]) => new Map(offsets.map((offset, partition) => [partition, offset]))

const byPartition = (claims: readonly Claim[]) => [...claims].sort((a, b) => a.partition - b.partition)

function claimOf(claims: readonly Claim[], partition: number): Claim {
  const found = claims.find((one) => one.partition === partition)
  assert.ok(found, `partition ${partition} was not claimed`)
  return found
}

const to = (claim: Claim, offset: number): Move => ({ claim, to: offset, recordAt: undefined })

/** A registered projection, its partition 0 claimed at 0. */
async function opened(store: ProjectionStore<unknown>): Promise<Claim> {
  await store.register(PROJECTION, TOPIC)
  return claimOf(await store.claim(NAME, 'a', starts(0)), 0)
}

const MISSED = Symbol('missed')

/** An advance as the runner does it: rolled back when it missed. */
async function move(store: ProjectionStore<unknown>, moves: readonly Move[], users: readonly string[] = []) {
  try {
    return await store.transaction(async (transaction) => {
      const known = await transaction.advance(moves, users)
      if (known === undefined) throw MISSED
      return known
    })
  } catch (error) {
    if (error === MISSED) return undefined
    throw error
  }
}

const positionOf = async (store: ProjectionStore<unknown>) =>
  (await store.read([NAME]))[0]?.checkpoints.find(({ partition }) => partition === 0)?.position

/** A transaction that has advanced and holds still until it is told how to end. */
async function holding(store: ProjectionStore<unknown>, one: Move) {
  const there = deferred()
  const end = deferred<boolean>()
  const ended = store
    .transaction(async (transaction) => {
      assert.notEqual(await transaction.advance([one], []), undefined)
      there.resolve()
      if (await end.promise) throw MISSED
    })
    .catch((error: unknown) => {
      if (error !== MISSED) throw error
    })
  await there.promise
  return { ended, release: () => end.resolve(false), fail: () => end.resolve(true) }
}

const LONG_ENOUGH_MS = 40

/** Waiting cannot be seen, only that nothing has come of it after a while: too short a while never fails what is right. */
async function assertWaits(work: Promise<unknown>): Promise<void> {
  const sleep = new Promise((resolve) => setTimeout(resolve, LONG_ENOUGH_MS, MISSED))
  assert.equal(await Promise.race([work, sleep]), MISSED, 'it did not wait')
}

interface Deferred<T = void> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve: (value) => resolve(value) }
}
