import { setTimeout as delay } from 'node:timers/promises'
import { logSink, silentLogger } from '@rollcall/observability/testing'
import {
  copyIn,
  copyOut,
  copyOutPage,
  createNotifier,
  createPool,
  ensureDatabase,
  forEachBinaryRow,
  isTransientDatabaseError,
  listen,
  uniqueViolation,
  withTransaction,
} from '../src/index.js'
import { createTestDatabase, type TestDatabase } from '../src/testing/index.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query('CREATE TABLE thing (id integer PRIMARY KEY, label text CONSTRAINT thing_label_key UNIQUE)')
})

afterAll(() => database.close())

const labels = async () => {
  const { rows } = await database.pool.query<{ label: string }>('SELECT label FROM thing ORDER BY id')
  return rows.map((row) => row.label)
}

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(5)
  }
}

/** Ends the sessions of one application, as a failover or an impatient administrator does. */
const terminate = (application: string) =>
  database.pool.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
    application,
  ])

describe('transactions', () => {
  beforeEach(() => database.pool.query('TRUNCATE thing'))

  test('what rejects leaves nothing behind, what resolves is kept', async () => {
    await withTransaction(database.pool, (client) => client.query("INSERT INTO thing VALUES (1, 'kept')"))
    const failing = withTransaction(database.pool, async (client) => {
      await client.query("INSERT INTO thing VALUES (2, 'lost')")
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await labels()).toEqual(['kept'])
  })

  test('a swallowed statement error is an error, because nothing is committed', async () => {
    const swallowing = withTransaction(database.pool, async (client) => {
      await client.query("INSERT INTO thing VALUES (1, 'one')")
      await client.query("INSERT INTO thing VALUES (1, 'again')").catch(() => {})
    })
    await expect(swallowing).rejects.toMatchObject({ code: 'ERR_TRANSACTION_ABORTED' })
    expect(await labels()).toEqual([])
  })

  test('a connection that broke inside a transaction is not handed out again', async () => {
    const pool = createPool({ url: database.url, max: 1, applicationName: 'broken' }, { logger: silentLogger })
    try {
      const broken = withTransaction(pool, async (client) => {
        await client.query("INSERT INTO thing VALUES (1, 'lost')")
        await terminate('broken')
        await client.query('SELECT 1')
      })
      const error: unknown = await broken.catch((reason: unknown) => reason)
      expect(isTransientDatabaseError(error)).toBe(true)
      expect((await pool.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
      expect(await labels()).toEqual([])
    } finally {
      await pool.end()
    }
  })
})

describe('the pool', () => {
  test('survives the loss of an idle connection with a warning', async () => {
    const sink = logSink()
    const pool = createPool({ url: database.url, applicationName: 'idle one' }, { logger: sink.logger })
    try {
      await pool.query('SELECT 1')
      await terminate('idle one')
      await until('the loss is logged', () => sink.lines().some((line) => line.msg === 'idle database connection lost'))
      expect((await pool.query('SELECT 1')).rowCount).toBe(1)
    } finally {
      await pool.end()
    }
  })

  test('int8 is a number, and one beyond 2^53 is refused instead of rounded', async () => {
    expect((await database.pool.query('SELECT 315000::int8 AS n')).rows).toEqual([{ n: 315_000 }])
    await expect(database.pool.query('SELECT 9007199254740993::int8 AS n')).rejects.toMatchObject({
      code: 'ERR_DATABASE_NUMBER_UNSAFE',
    })
  })
})

describe('errors', () => {
  test('a unique violation names its constraint, also through a cause', async () => {
    await database.pool.query("TRUNCATE thing; INSERT INTO thing VALUES (1, 'same')")
    const error = await database.pool.query("INSERT INTO thing VALUES (2, 'same')").catch((reason: unknown) => reason)
    expect(uniqueViolation(error)).toEqual({ constraint: 'thing_label_key' })
    expect(uniqueViolation(new Error('outer', { cause: error }))).toEqual({ constraint: 'thing_label_key' })
    expect(isTransientDatabaseError(error)).toBe(false)
    expect(uniqueViolation(new Error('other'))).toBeUndefined()
  })

  test('a server that is not there is retryable, says where it was looked for, and never the password', async () => {
    const error: unknown = await ensureDatabase('postgresql://someone:hunter2@127.0.0.1:1/db').catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'ERR_DATABASE_UNREACHABLE', retryable: true })
    expect(String((error as Error).message)).toContain('127.0.0.1:1/db')
    expect(String((error as Error).message)).not.toContain('hunter2')
    expect(isTransientDatabaseError(error)).toBe(true)
  })

  test.each([
    [{ code: '40001' }, true],
    [{ code: '08006' }, true],
    [new Error('Connection terminated unexpectedly'), true],
    [new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]), true],
    [{ code: '23505' }, false],
    [{ code: '42P01' }, false],
    [undefined, false],
  ])('%j: transient is %s', (error, transient) => {
    expect(isTransientDatabaseError(error)).toBe(transient)
  })

  test('several processes may ensure the same database at once', async () => {
    const url = new URL(database.url)
    url.pathname = `${url.pathname}_ensured`
    try {
      await Promise.all([1, 2, 3].map(() => ensureDatabase(url.href)))
      const again = createPool({ url: url.href, applicationName: 'ensured' }, { logger: silentLogger })
      await again.query('SELECT 1')
      await again.end()
    } finally {
      await database.pool.query(`DROP DATABASE IF EXISTS ${url.pathname.slice(1)} WITH (FORCE)`)
    }
  })
})

describe('COPY', () => {
  const awkward: readonly unknown[][] = [
    [1, 'tab\tnewline\nreturn\rbackslash\\ \\N', true, new Date(1_700_000_000_123), Buffer.from([0, 9, 92, 255])],
    [2, '', false, null, Buffer.alloc(0)],
    [3, null, null, undefined, null],
    [4, 'žluťoučký 🐎', true, new Date(0), Buffer.from('x')],
  ]

  test('rows come out as they went in, whatever they hold', async () => {
    await withTransaction(database.pool, async (client) => {
      await client.query(
        'CREATE TEMP TABLE copied (n integer, t text, b boolean, at timestamptz, raw bytea, list text[], doc jsonb) ON COMMIT DROP',
      )
      const rows = awkward.map((row, index) => [...row, ['a"b', 'c\\d', null, `${index}`], { deep: ['x\ty'] }])
      expect(await copyIn(client, 'COPY copied FROM STDIN', rows)).toBe(4)
      const stored = await client.query({ text: 'SELECT * FROM copied ORDER BY n', rowMode: 'array' })
      expect(stored.rows).toEqual(rows.map((row) => row.map((value) => value ?? null)))
    })
  })

  test('a source that fails, or a row the server refuses, stores nothing and leaves the connection usable', async () => {
    const client = await database.pool.connect()
    try {
      await client.query('TRUNCATE thing')
      const failing = (function* () {
        yield [1, 'one']
        throw new Error('source broke')
      })()
      await expect(copyIn(client, 'COPY thing FROM STDIN', failing)).rejects.toThrow('source broke')
      await expect(copyIn(client, 'COPY thing FROM STDIN', [['no number', 'x']])).rejects.toMatchObject({
        code: '22P02',
      })
      const many = Array.from({ length: 50_000 }, (_, n) => [n, n === 30_000 ? '7' : String(n)])
      await expect(copyIn(client, 'COPY thing FROM STDIN', many)).rejects.toMatchObject({ code: '23505' })
      expect(await labels()).toEqual([])
      expect(await copyIn(client, 'COPY thing FROM STDIN', [[1, 'fine']])).toBe(1)
    } finally {
      client.release()
    }
  }, 20_000)

  test('a binary page gives the very bytes, over many socket reads', async () => {
    const client = await database.pool.connect()
    try {
      // 20 MB in uneven rows: every kind of chunk border is met. pg's own binary mode misreads 128 and 315000.
      const page = await copyOutPage(
        client,
        `COPY (SELECT (n * 315)::bigint, CASE WHEN n % 7 = 0 THEN NULL ELSE decode(repeat(lpad(to_hex(n % 256), 2, '0'), n % 4000), 'hex') END
               FROM generate_series(1, 10000) n) TO STDOUT (FORMAT binary)`,
      )
      let n = 0
      const rows = forEachBinaryRow(page, 2, (offset) => {
        n++
        const length = page.readInt32BE(offset + 12)
        const bytes = page.subarray(offset + 16, offset + 16 + Math.max(0, length))
        if (page.readBigInt64BE(offset + 4) !== BigInt(n * 315)) throw new Error(`row ${n} has another id`)
        if (length !== (n % 7 === 0 ? -1 : n % 4000)) throw new Error(`row ${n} has length ${length}`)
        if (bytes.some((byte) => byte !== n % 256)) throw new Error(`row ${n} has other bytes`)
      })
      expect(rows).toBe(10_000)
      expect(() => forEachBinaryRow(page, 3, () => {})).toThrow('2 columns instead of 3')
      expect(() => forEachBinaryRow(page.subarray(0, page.length - 2), 2, () => {})).toThrow('ends inside a row')
      await expect(copyOutPage(client, 'COPY (SELECT 1/0) TO STDOUT (FORMAT binary)')).rejects.toMatchObject({
        code: '22012',
      })
      expect((await client.query('SELECT 1')).rowCount).toBe(1)
    } finally {
      client.release()
    }
  })

  test('leaving a stream early leaves the connection usable', async () => {
    const client = await database.pool.connect()
    try {
      for await (const chunk of copyOut(client, 'COPY (SELECT generate_series(1, 200000)) TO STDOUT')) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      expect((await client.query<{ two: number }>('SELECT 2 AS two')).rows).toEqual([{ two: 2 }])
    } finally {
      client.release()
    }
  })
})

describe('wake-ups', () => {
  test('many pokes become few notifications, the last of which is never swallowed', async () => {
    const heard: number[] = []
    const listener = listen({
      url: database.url,
      channel: 'few',
      onNotify: () => heard.push(performance.now()),
      logger: silentLogger,
    })
    const notifier = createNotifier({ sql: database.pool, channel: 'few', logger: silentLogger, minIntervalMs: 20 })
    try {
      await until('it listens', () => heard.length === 1)
      for (let turn = 0; turn < 200; turn++) {
        notifier.poke()
        if (turn % 20 === 0) await delay(1)
      }
      const lastPokeAt = performance.now()
      await until('the last poke is heard', () => (heard.at(-1) ?? 0) > lastPokeAt)
      expect(heard.length).toBeLessThan(15)
      const sofar = heard.length
      notifier.poke()
      await notifier.close()
      await until('what was owed at close is heard', () => heard.length > sofar)
    } finally {
      await notifier.close()
      await listener.close()
    }
  })

  test('a listener whose connection is killed listens again, and says "look now" when it does', async () => {
    let heard = 0
    const listener = listen({
      url: database.url,
      channel: 'again',
      applicationName: 'listener to kill',
      onNotify: () => heard++,
      logger: silentLogger,
    })
    try {
      await until('it listens', () => heard === 1)
      await terminate('listener to kill')
      await until('it listens again', () => heard === 2)
      await database.pool.query("SELECT pg_notify('again', '')")
      await until('it hears', () => heard === 3)
    } finally {
      await listener.close()
    }
  })
})
