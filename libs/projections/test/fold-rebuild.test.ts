import { randomUUID } from 'node:crypto'
import type { UserLifecycleEvent } from '@rollcall/events'
import { history, userCreated, userUpdated } from '@rollcall/events/testing'
import { startTracing } from '@rollcall/observability'
import { spanSink } from '@rollcall/observability/testing'
import { type MemoryLog, memoryLog } from './memory-log.js'
import { byTable, expectedRows, type Fixture, fixture, type Running, rows, run, until } from './support.js'

let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

const again = (event: UserLifecycleEvent) => ({ ...event, eventId: randomUUID() })
const ended = async ({ projections }: Running) => {
  await until(async () => /done|failed/.test((await projections.status())[0]?.rebuild?.phase ?? ''))
  return (await projections.status())[0]?.rebuild
}

async function started(log: MemoryLog): Promise<Running> {
  const running = run(fixed, log, [byTable()])
  await running.projections.start()
  await log.consumers.at(-1)?.assign([0])
  await log.consumers.at(-1)?.drain()
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
  await until(async () => {
    await log.consumers.at(-1)?.drain()
    return (await running.projections.status())[0]?.lagRecords === 0
  })
  await running.projections.checkProgress()
})

test.each([
  ['before', 2],
  ['during', 300],
])('a version that is missing %s the rebuild ends it, and leaves the read model as it was', async (when, fill) => {
  const log = memoryLog(1)
  const good = history(3)
  const broken = history(4).filter(({ version }) => version !== 3)
  log.append(0, ...good)
  const rest = [...Array.from({ length: fill }, () => userCreated()), ...broken]
  const running = await started(when === 'during' ? meanwhile(log, () => log.append(0, ...rest)) : log)
  if (when === 'before') log.append(0, ...rest)
  const asBefore = await rows(fixed.pool, 'person')
  await running.projections.rebuild('by-table')
  expect(await ended(running)).toMatchObject({
    phase: 'failed',
    error: expect.stringContaining('version 4 follows version 2'),
  })
  expect(await rows(fixed.pool, 'person')).toEqual(asBefore)
  expect((await fixed.pool.query(`SELECT 1 FROM pg_namespace WHERE nspname LIKE 'rollcall_rebuild%'`)).rowCount).toBe(0)
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
       FROM pg_class c WHERE relname IN ('person', 'applied_version_by-table') ORDER BY 1`,
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
    expect(after[0].indexes).toEqual(before[0].indexes)
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
