import { randomUUID } from 'node:crypto'
import { withTransaction } from '@rollcall/database'
import { type User, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { history, userCreated, userUpdated } from '@rollcall/events/testing'
import { startTracing } from '@rollcall/observability'
import { spanSink } from '@rollcall/observability/testing'
import {
  defineProjection,
  type HandlerContext,
  type Projection,
  pgStore,
  type RunProjectionsOptions,
} from '../../src/index.js'
import { dropSide } from '../../src/rebuild/side-tables.js'
import { type MemoryLog, memoryLog } from '../memory-log.js'
import {
  byEvent,
  byTable,
  expectedRows,
  type Fixture,
  fixture,
  ownPool,
  type Running,
  rows,
  run,
  seenEvents,
  until,
} from '../support.js'

let fixed: Fixture
let stops: (() => Promise<void>)[]
beforeEach(async () => {
  fixed = await fixture()
  stops = []
})
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()))
  await fixed.close()
})

const again = (event: UserLifecycleEvent) => ({ ...event, eventId: randomUUID() })
const statusOf = async ({ projections }: Running) => (await projections.status())[0]
const ended = async (running: Running) => {
  await until(async () => /done|failed|built/.test((await statusOf(running))?.rebuild?.phase ?? ''))
  return (await statusOf(running))?.rebuild
}
const caughtUp = (running: Running) => until(async () => (await statusOf(running))?.lagRecords === 0)
const asides = async () =>
  (await fixed.pool.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%~%' ORDER BY 1")).rows.map(
    ({ nspname }) => nspname,
  )

async function started<Tx>(
  log: MemoryLog,
  projection: Projection<UserLifecycleEvent, Tx> = byTable() as Projection<UserLifecycleEvent, Tx>,
  options: Partial<RunProjectionsOptions<UserLifecycleEvent, Tx>> = {},
): Promise<Running> {
  const running = run(fixed, log, [projection], options)
  await running.projections.start()
  const live = log.consumers.findLast(({ groupId }) => !groupId.includes('~'))
  await live?.assign([0])
  let isStopped = false
  const driving = (async () => {
    while (!isStopped) {
      await live?.drain()
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  stops.push(async () => {
    isStopped = true
    await driving
  })
  await caughtUp(running).catch(() => {})
  return running
}

/** The log, with records that arrive while it is read for the first time. */
function meanwhile(log: MemoryLog, arrive: () => void): MemoryLog {
  let isFirst = true
  return {
    ...log,
    async readTopic(options) {
      const result = await log.readTopic(options)
      if (isFirst) arrive()
      isFirst = false
      return result
    },
  }
}

test('what arrives during a rebuild is in it, also behind records that were sent again', async () => {
  const log = memoryLog(1)
  const before = Array.from({ length: 40 }, () => history(5)).flat()
  log.append(0, ...before)
  const later = before.filter(({ version }) => version === 5).map((event) => userUpdated(event))
  const repeated = before.filter(({ version }) => version >= 3).map(again)
  const fresh = Array.from({ length: 200 }, () => userCreated())
  const running = await started(
    // More than the little that is left for the swap itself: old versions first, then the one that follows the last.
    meanwhile(log, () => log.append(0, ...repeated, ...later, ...fresh)),
  )
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({ phase: 'done', kind: 'fold', total: 200 })
  expect(await rows(fixed.pool, 'person')).toMatchObject(expectedRows([...before, ...later, ...fresh]))
  await caughtUp(running)
  await running.projections.checkProgress()
})

test('a version that is missing in the topic parks its user in the new side too, with what is known of it', async () => {
  const log = memoryLog(1)
  const [one, two, , four] = history(4) as [
    UserLifecycleEvent,
    UserLifecycleEvent,
    UserLifecycleEvent,
    UserLifecycleEvent,
  ]
  const good = history(3)
  log.append(0, ...good, one, two, four)
  const running = await started(log)
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({ phase: 'done', proof: { differing: 0, parkedLive: 1, parkedNext: 1 } })
  expect(await running.projections.userProgress('by-table', one.userId)).toMatchObject({ version: 2 })
  const parked = await running.projections.deadLetters('by-table').show(one.userId)
  expect(parked).toMatchObject({ letters: 1, failures: [{ code: 'ERR_PROJECTION_VERSION_GAP', knownVersion: 2 }] })
  expect(await rows(fixed.pool, 'person')).toMatchObject(expectedRows([...good, one, two]))
})

test('a user whose row the table refuses is parked in the new side, and nobody else', async () => {
  const log = memoryLog(1)
  const users = Array.from({ length: 30 }, () => userCreated())
  const broken = { ...userCreated(), user: { ...userCreated().user, userName: null as unknown as string } }
  const bad = { ...broken, user: { ...broken.user, id: broken.userId, version: 1 } } as UserLifecycleEvent
  log.append(0, ...users, bad)
  const running = await started(log)
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({ phase: 'done', proof: { parkedLive: 1, parkedNext: 1, differing: 0 } })
  expect(await running.projections.deadLetters('by-table').list(10)).toMatchObject({
    totalUsers: 1,
    users: [{ userId: bad.userId, failures: [{ code: 'ERR_PROJECTION_HANDLER_FAILED' }] }],
  })
  expect(await rows(fixed.pool, 'person')).toHaveLength(30)
})

test('a live side that differs is not replaced before somebody says so, and the rows are shown', async () => {
  const log = memoryLog(1)
  const users = Array.from({ length: 20 }, () => userCreated())
  log.append(0, ...users)
  const running = await started(log)
  const [first] = users
  await fixed.pool.query("UPDATE person SET user_name = 'forged' WHERE user_id = $1", [first?.userId])
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({
    phase: 'built',
    error: '1 rows differ from the live side',
    proof: {
      differing: 1,
      differences: [
        {
          table: 'person',
          key: first?.userId,
          live: { user_name: 'forged' },
          other: { user_name: first?.user.userName },
        },
      ],
    },
  })
  expect(await statusOf(running)).toMatchObject({ state: 'running', sides: [{ side: 'next', lagRecords: 0 }] })
  // It follows meanwhile.
  const later = userUpdated(first as UserLifecycleEvent)
  log.append(0, later)
  await until(async () => {
    const [next] = await rows(fixed.pool, `"by-table~next".person`).then((all) =>
      all.filter((one) => one.user_id === later.userId),
    )
    return next?.version === 2
  })
  await running.projections.cutOver('by-table')
  expect(await statusOf(running)).toMatchObject({ sides: [{ side: 'prev' }], rebuild: { phase: 'done' } })
  expect(await asides()).toEqual(['by-table~prev'])
})

test('a live side that has never applied anything is replaced: there is nothing to compare with', async () => {
  const log = memoryLog(1)
  const users = Array.from({ length: 20 }, () => userCreated())
  log.append(0, ...users)
  const running = run(fixed, log, [byTable()])
  await running.projections.start()
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({
    phase: 'done',
    unproven: 'the live side stands elsewhere in partition 0, so there is nothing to compare',
  })
  expect(await rows(fixed.pool, 'person')).toHaveLength(20)
})

test('a roll-back puts the side from before the cut-over back, up to date, and may itself be rolled back', async () => {
  const log = memoryLog(1)
  const users = Array.from({ length: 10 }, () => userCreated())
  log.append(0, ...users)
  const running = await started(log)
  await fixed.pool.query('UPDATE person SET attributes = \'{"side":"old"}\'')
  await running.projections.rebuild('by-table', { cutOver: 'always' })
  expect(await ended(running)).toMatchObject({ phase: 'done', proof: { differing: 10 } })
  const old = async () =>
    (await rows(fixed.pool, 'person')).filter(({ attributes }) => (attributes as { side?: string }).side === 'old')
      .length
  expect(await old()).toBe(0)
  const later = userCreated()
  log.append(0, later)
  await caughtUp(running)
  await running.projections.rollBack('by-table')
  expect(await old()).toBe(10)
  expect(await rows(fixed.pool, 'person')).toHaveLength(11)
  log.append(0, userCreated())
  await caughtUp(running)
  await running.projections.rollBack('by-table')
  expect(await old()).toBe(0)
  expect(await rows(fixed.pool, 'person')).toHaveLength(12)
  expect((await fixed.pool.query('SELECT act FROM projections.operator_act ORDER BY id')).rows).toEqual([
    { act: 'projections.roll-back' },
    { act: 'projections.roll-back' },
  ])
})

test('a side that is dropped while it follows takes nothing with it, and nobody is parked for it', async () => {
  const log = memoryLog(1)
  log.append(0, ...Array.from({ length: 30 }, () => userCreated()))
  const running = await started(log)
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({ phase: 'done' })
  const client = await fixed.pool.connect()
  let dropped = false
  const dropping = (async () => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    await client.query('BEGIN')
    await dropSide(client, 'by-table~prev')
    await client.query('COMMIT')
    dropped = true
  })().finally(() => client.release())
  for (let batch = 0; !dropped || batch < 5; batch++) {
    log.append(0, ...Array.from({ length: 20 }, () => userCreated()))
    await caughtUp(running)
  }
  await dropping
  await caughtUp(running)
  expect(await statusOf(running)).toMatchObject({ sides: [], parkedUsers: 0 })
  expect(running.log.lines().filter(({ msg }) => msg === 'user parked')).toEqual([])
  expect(await asides()).toEqual([])
})

test('a side dropped while a process joins the group that follows it is not made again', async () => {
  const log = memoryLog(1)
  log.append(0, ...history(3))
  let joined = 0
  let open = () => {}
  const isDropped = new Promise<void>((resolve) => {
    open = resolve
  })
  const kafka: typeof log = {
    ...log,
    consumer: (options) =>
      log.consumer({
        ...options,
        async assigned(partitions) {
          if (options.groupId.endsWith('~prev')) await isDropped
          const positions = await options.assigned(partitions)
          if (options.groupId.endsWith('~prev')) joined++
          return positions
        },
      }),
  }
  const { reset: _, ...handlers } = byEvent()
  const projection = { ...handlers, tables: ['person_by_event', 'seen'] } as typeof handlers
  const running = await started(log, projection, { kafka })
  await caughtUp(running)
  await running.projections.rebuild('by-event')
  expect(await ended(running)).toMatchObject({ phase: 'done' })
  await withTransaction(fixed.pool, (client) => dropSide(client, 'by-event~prev'))
  open()
  await until(() => joined > 0)
  log.append(0, userCreated())
  await caughtUp(running)
  expect(await statusOf(running)).toMatchObject({ sides: [], parkedUsers: 0 })
  expect(running.log.lines().filter(({ msg }) => msg === 'user parked')).toEqual([])
  expect(await asides()).toEqual([])
})

test('there is nothing to roll back to, cut over or abandon where nothing was rebuilt', async () => {
  const running = await started(memoryLog(1))
  const missing = { code: 'ERR_PROJECTION_SIDE_MISSING' }
  await expect(running.projections.rollBack('by-table')).rejects.toMatchObject(missing)
  await expect(running.projections.cutOver('by-table')).rejects.toMatchObject(missing)
  await expect(running.projections.abandonRebuild('by-table')).rejects.toMatchObject(missing)
})

test('handlers fill a side by themselves, each event once, and nothing they do outside is done again', async () => {
  const log = memoryLog(1)
  const events = Array.from({ length: 12 }, () => history(3)).flat()
  log.append(0, ...events)
  const mails: string[] = []
  const { reset: _, ...handlers } = byEvent()
  const on = Object.fromEntries(
    Object.entries(handlers.on).map(([type, handler]) => [
      type,
      (event: never, context: never) => {
        const { eventId } = event as UserLifecycleEvent
        ;(context as HandlerContext<unknown>).afterCommit(() => mails.push(eventId))
        return (handler as (event: never, context: never) => unknown)(event, context)
      },
    ]),
  )
  const running = await started(log, { ...handlers, on, tables: ['person_by_event', 'seen'] } as typeof handlers)
  await until(() => mails.length >= events.length)
  expect(mails).toEqual(events.map(({ eventId }) => eventId))
  await running.projections.rebuild('by-event')
  expect(await ended(running)).toMatchObject({ kind: 'shadow', phase: 'done', proof: { differing: 0 } })
  expect(await seenEvents(fixed.pool, events[0]?.userId)).toBe(3)
  expect(mails).toHaveLength(events.length)
  const later = userCreated()
  log.append(0, later)
  await caughtUp(running)
  await until(() => mails.length > events.length)
  expect(mails.slice(events.length)).toEqual([later.eventId])
})

test('a handler that names its schema cannot write the live tables from another side', async () => {
  const log = memoryLog(1)
  log.append(0, userCreated())
  const { reset: _, ...handlers } = byEvent()
  const put = (
    event: UserLifecycleEvent,
    { tx }: HandlerContext<{ query(text: string, values: unknown[]): unknown }>,
  ) =>
    tx.query('INSERT INTO public.seen AS s VALUES ($1, 1) ON CONFLICT (user_id) DO UPDATE SET events = s.events + 1', [
      event.userId,
    ])
  const running = await started(log, {
    ...handlers,
    on: { UserCreated: put },
    tables: ['seen'],
  } as unknown as typeof handlers)
  await running.projections.rebuild('by-event')
  expect(await ended(running)).toMatchObject({ phase: 'built', error: '1 users are parked, on the live side 0' })
  expect(await seenEvents(fixed.pool, (await fixed.pool.query('SELECT user_id FROM seen')).rows[0]?.user_id)).toBe(1)
})

test('a new version with another table is built beside the old one, and takes over when it is complete', async () => {
  const log = memoryLog(1)
  const users = Array.from({ length: 15 }, () => userCreated())
  log.append(0, ...users)
  const old = await started(log)
  await fixed.pool.query('CREATE TABLE badge (user_id uuid PRIMARY KEY, label text NOT NULL)')
  const badges = defineProjection({
    name: 'by-table',
    version: 2,
    topic: userLifecycle,
    table: { name: 'badge', key: 'user_id', row: (user: User) => ({ label: user.userName }) },
  })
  const running = await started(log, badges)
  await until(async () => (await statusOf(running))?.rebuild?.phase === 'done')
  expect(await rows(fixed.pool, 'badge')).toHaveLength(15)
  expect(await rows(fixed.pool, '"by-table~prev".person')).toHaveLength(15)
  await until(async () =>
    old.projections.checkProgress().then(
      () => false,
      ({ code }) => code === 'ERR_PROJECTION_VERSION_OUTDATED',
    ),
  )
  await until(async () =>
    running.projections.checkProgress().then(
      () => true,
      () => false,
    ),
  )
  log.append(0, userCreated())
  // Both go on: the new one live, the old one behind it.
  await until(async () => (await rows(fixed.pool, 'badge')).length === 16)
  await until(async () => (await rows(fixed.pool, '"by-table~prev".person')).length === 16)
  await running.projections.rollBack('by-table')
  expect(await rows(fixed.pool, 'person')).toHaveLength(16)
  await until(async () =>
    old.projections.checkProgress().then(
      () => true,
      () => false,
    ),
  )
})

test('a rebuild whose process died is taken up where it was, and what was loaded is not read again', async () => {
  const log = memoryLog(8)
  for (let partition = 0; partition < 8; partition++)
    log.append(partition, ...Array.from({ length: 5 }, () => userCreated()))
  let reads = 0
  const dyingPool = ownPool(fixed, 'dying')
  stops.push(async () => {
    await dying.projections.close()
    await dyingPool.end()
  })
  const dying = run(
    fixed,
    {
      ...log,
      readTopic(options) {
        reads++
        // The second group of partitions never comes: as if the process were gone.
        return reads === 2
          ? new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(new Error('ended'))))
          : log.readTopic(options)
      },
    },
    [byTable()],
    { database: pgStore(dyingPool) as never },
  )
  await dying.projections.start()
  await dying.projections.rebuild('by-table')
  await until(async () => {
    const { rows: loaded } = await fixed.pool.query(
      "SELECT 1 FROM projections.checkpoint WHERE projection = 'by-table~next'",
    )
    return loaded.length === 4
  })
  await fixed.pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dying'")
  const asked: (readonly number[])[] = []
  const running = run(
    fixed,
    {
      ...log,
      readTopic(options) {
        asked.push(options.partitions ?? [])
        return log.readTopic(options)
      },
    },
    [byTable()],
  )
  await running.projections.start()
  const live = log.consumers.findLast(({ groupId }) => !groupId.includes('~'))
  await live?.assign([0, 1, 2, 3, 4, 5, 6, 7])
  await until(async () => {
    await live?.drain()
    return (await statusOf(running))?.rebuild?.phase === 'done'
  })
  expect(asked).toEqual([[4, 5, 6, 7]])
  expect(await rows(fixed.pool, 'person')).toHaveLength(40)
})

test('a table that something hangs on is refused before any work', async () => {
  const log = memoryLog(1)
  log.append(0, ...history(2))
  const running = await started(log)
  await fixed.pool.query('CREATE VIEW names AS SELECT user_name FROM person')
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({
    phase: 'failed',
    events: 0,
    error: expect.stringContaining('view names'),
  })
  await fixed.pool.query('DROP VIEW names')
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({ phase: 'done' })
})

test('a table comes out of its rebuilds with the indexes, options and grants it had', async () => {
  const log = memoryLog(1)
  log.append(0, ...history(2))
  const running = await started(log)
  const role = `reader_${process.pid}`
  await fixed.pool.query(`CREATE ROLE ${role}; GRANT SELECT ON person TO ${role}`)
  const shape = async () => {
    const { rows: found } = await fixed.pool.query(
      `SELECT c.relname, c.reloptions, c.relacl::text, (SELECT array_agg(pg_get_indexdef(indexrelid) ORDER BY pg_get_indexdef(indexrelid)) FROM pg_index WHERE indrelid = c.oid) AS indexes,
         (SELECT array_agg(conname || ' ' || pg_get_constraintdef(k.oid) ORDER BY conname) FROM pg_constraint k WHERE conrelid = c.oid) AS constraints
       FROM pg_class c WHERE c.oid IN ('person'::regclass, 'projections."applied_version_by-table"'::regclass) ORDER BY 1`,
    )
    return found
  }
  try {
    const before = await shape()
    for (let round = 0; round < 2; round++) {
      await running.projections.rebuild('by-table')
      expect(await ended(running)).toMatchObject({ phase: 'done' })
    }
    const after = await shape()
    expect(after[1]).toEqual(before[1])
    expect(after[0].indexes).toHaveLength(before[0].indexes.length)
    expect(after[0].constraints).toHaveLength(before[0].constraints.length)
  } finally {
    await fixed.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  }
})

test('one rebuild at a time, and its beginning is shown before the call returns', async () => {
  const log = memoryLog(1)
  log.append(0, ...history(2))
  let goOn = () => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const running = await started({ ...log, readTopic: (options) => gate.then(() => log.readTopic(options)) })
  const other = run(fixed, log, [byTable()])
  await running.projections.rebuild('by-table')
  expect((await other.projections.status())[0]).toMatchObject({ state: 'rebuilding', rebuild: { phase: 'reading' } })
  await expect(other.projections.rebuild('by-table')).rejects.toMatchObject({ code: 'ERR_PROJECTION_REBUILD_RUNNING' })
  goOn()
  expect(await ended(running)).toMatchObject({ phase: 'done' })
  expect((await other.projections.status())[0]?.state).toBe('running')
})

test('an event continues the trace of the change that made it', async () => {
  const sink = await spanSink()
  const tracing = startTracing({ service: 'test', endpoint: sink.endpoint })
  const log = memoryLog(1)
  const [event] = history(1)
  log.append(0, ...(event ? [event] : []))
  await started(log)
  const span = await sink.waitFor(({ name }) => name === `project by-table ${event?.type}`)
  expect(span).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331' })
  expect(span.attributes).toMatchObject({ 'rollcall.event.id': event?.eventId, 'rollcall.user.id': event?.userId })
  await sink.waitFor(({ name }) => name === 'project by-table')
  await tracing.close()
  await sink.close()
})

test('a plan tells what would be done, also where records cannot be read, and does nothing', async () => {
  const log = memoryLog(1)
  log.append(0, ...history(3))
  log.appendBytes(0, history(1)[0]?.userId ?? '', Buffer.from('no event'))
  const running = await started(log)
  expect(await running.projections.planRebuild('by-table')).toMatchObject({
    kind: 'fold',
    events: 4,
    tables: ['public.person'],
    estimatedBy: 'sample',
  })
  expect(await statusOf(running)).toMatchObject({ rebuild: null, sides: [] })
})
