import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cachedDirectory, withLock } from '../src/cache.js'
import { type ManagedProcess, manageProcess, type ProcessSpec } from '../src/managed-process.js'
import { lockStack } from '../src/stack-lock.js'
import { supervise } from '../src/supervise.js'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-dev-'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

function sleeper(script = 'setInterval(() => {}, 1000)', spec: Partial<ProcessSpec> = {}): ManagedProcess {
  return manageProcess({
    name: 'sleeper',
    command: process.execPath,
    args: ['-e', script, directory],
    env: { NODE_OPTIONS: '' },
    marker: directory,
    pidDir: directory,
    logFile: join(directory, 'sleeper.log'),
    ports: [],
    isReady: async () => true,
    ...spec,
  })
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !holds(); await delay(10)) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
  }
}

test('what is killed comes back under a new pid, each time, and the change is told', async () => {
  const one = sleeper()
  const lines: string[] = []
  const pids: (number | undefined)[] = []
  await one.start()
  const report = (line: string) => void lines.push(line)
  const supervisor = supervise([one], { report, onChange: () => pids.push(one.pid), backOffMs: 1 })
  try {
    for (let kill = 1; kill <= 3; kill++) {
      const killed = one.pid
      one.signal('SIGKILL')
      await until('it is back', () => lines.filter((line) => line.includes('is back')).length === kill)
      expect(one.pid).toBeGreaterThan(0)
      expect(one.pid).not.toBe(killed)
      expect(pids.at(-1)).toBe(one.pid)
    }
    expect(lines[0]).toMatch(/^sleeper was killed by SIGKILL; starting it again in \d+ ms$/)
  } finally {
    supervisor.stop()
    await one.stop()
  }
})

test('what is stopped in order stays down', async () => {
  const one = sleeper()
  const lines: string[] = []
  await one.start()
  const supervisor = supervise([one], { report: (line) => void lines.push(line), onChange: () => {}, backOffMs: 1 })
  await one.stop()
  await delay(50)
  expect(one.pid).toBeUndefined()
  expect(lines).toEqual([])
  supervisor.stop()
})

test('what is stopped while it waits to be started again stays down, and is watched again once started', async () => {
  const one = sleeper()
  const lines: string[] = []
  await one.start()
  const report = (line: string) => void lines.push(line)
  const supervisor = supervise([one], { report, onChange: () => {}, backOffMs: 100 })
  try {
    one.signal('SIGKILL')
    await until('it was killed', () => lines.length === 1)
    await one.stop()
    await delay(400)
    expect(one.pid).toBeUndefined()
    await one.start()
    one.signal('SIGKILL')
    await until('it is back', () => lines.some((line) => line.includes('is back')))
    expect(one.pid).toBeGreaterThan(0)
  } finally {
    supervisor.stop()
    await one.stop()
  }
})

test('a process that keeps dying is started again ever more slowly', async () => {
  const one = sleeper('setTimeout(() => process.exit(3), 100)')
  const waits: number[] = []
  const report = (line: string) => {
    const wait = /in (\d+) ms/.exec(line)
    if (wait) waits.push(Number(wait[1]))
  }
  await one.start()
  const supervisor = supervise([one], { report, onChange: () => {}, backOffMs: 5 })
  await until('it died four times', () => waits.length >= 4)
  supervisor.stop()
  await one.stop()
  expect(waits.slice(0, 4)).toEqual([...waits.slice(0, 4)].sort((a, b) => a - b))
  expect(waits[3]).toBeGreaterThanOrEqual((waits[0] as number) * 8)
})

test('what was started again is said to be back only once it is ready', async () => {
  let missing: string | undefined
  const one = sleeper(undefined, { whyNotReady: async () => missing })
  const lines: string[] = []
  let changes = 0
  await one.start()
  const report = (line: string) => void lines.push(line)
  const supervisor = supervise([one], { report, onChange: () => void changes++, backOffMs: 1 })
  try {
    missing = 'it waits for Kafka'
    one.signal('SIGKILL')
    await until('it runs again', () => changes === 2 && one.pid !== undefined)
    one.signal('SIGKILL')
    await until('it runs once more', () => changes === 4 && one.pid !== undefined)
    expect(lines.filter((line) => line.includes('is back'))).toEqual([])
    missing = undefined
    await until('it is back', () => lines.some((line) => line.includes('is back')))
    expect(lines).toHaveLength(3)
  } finally {
    supervisor.stop()
    await one.stop()
  }
})

describe('a process that ends five times in a row before it was ready', () => {
  const ends = async (script: string) => {
    const starts = join(directory, 'starts')
    const one = sleeper(`require('fs').appendFileSync(${JSON.stringify(starts)}, '.'); ${script}`, {
      whyNotReady: async () => 'it is not there yet',
    })
    const lines: string[] = []
    await one.start()
    const report = (line: string) => void lines.push(line)
    const supervisor = supervise([one], { report, onChange: () => {}, backOffMs: 1 })
    try {
      await until('it is given up', () => lines.some((line) => line.includes('not started again')))
    } finally {
      supervisor.stop()
      await one.stop()
    }
    expect(readFileSync(starts, 'utf8')).toBe('.....')
    expect(lines.filter((line) => line.includes('starting it again'))).toHaveLength(4)
    expect(lines.filter((line) => line.includes('is back'))).toEqual([])
    return { verdict: lines.at(-1) as string, logFile: one.logFile }
  }

  test('stays down, and its last error, its log and what to do are told', async () => {
    const lines = [
      JSON.stringify({ level: 'error', msg: 'migrating failed', error: { code: 'ERR_OLD', message: 'of before' } }),
      JSON.stringify({ level: 'fatal', msg: 'the process failed', err: { code: 'ERR_TABLE_ODD', message: 'so odd' } }),
      JSON.stringify({ level: 'info', msg: 'closed' }),
    ]
    const { verdict, logFile } = await ends(
      `setTimeout(() => { console.log(${JSON.stringify(lines.join('\n'))}); process.exit(1) }, 20)`,
    )
    expect(verdict).toContain('sleeper is not started again: 5 starts in a row ended before it was ready')
    expect(verdict).toContain('Its last error: ERR_TABLE_ODD: so odd\n')
    expect(verdict).toContain(`Its log: ${logFile}\n`)
    expect(verdict).toContain('Mend the cause')
  })

  test('for a migration that changed is told to throw the data away', async () => {
    const { verdict } = await ends(
      `setTimeout(() => { console.error('ERR_MIGRATION_CHANGED: migration 7 differs'); process.exit(1) }, 20)`,
    )
    expect(verdict).toContain('Its last error: ERR_MIGRATION_CHANGED: migration 7 differs\n')
    expect(verdict).toContain('`npm start -- --fresh`')
  })
})

test('a start that fails of a changed migration tells to throw the data away', async () => {
  const script = (code: string) => `console.error('${code}: migration 7 differs'); process.exit(1)`
  const failure = (code: string) =>
    sleeper(script(code), { isReady: async () => false })
      .start()
      .catch((error: Error) => error.message)
  expect(await failure('ERR_MIGRATION_CHANGED')).toContain('`npm start -- --fresh`')
  expect(await failure('ERR_PORT_TAKEN')).not.toContain('--fresh')
})

test('ends before it was ready are counted anew after it was ready once', async () => {
  let missing: string | undefined = 'it is not there yet'
  const one = sleeper(undefined, { whyNotReady: async () => missing })
  const lines: string[] = []
  const count = (part: string) => lines.filter((line) => line.includes(part)).length
  await one.start()
  const report = (line: string) => void lines.push(line)
  const supervisor = supervise([one], { report, onChange: () => {}, backOffMs: 1 })
  const killed = async () => {
    const { pid } = one
    one.signal('SIGKILL')
    await until('it runs again', () => one.pid !== undefined && one.pid !== pid)
  }
  try {
    for (let kill = 1; kill <= 4; kill++) await killed()
    missing = undefined
    await until('it is back', () => count('is back') === 1)
    missing = 'it is gone again'
    for (let kill = 1; kill <= 5; kill++) await killed()
    expect(count('not started again')).toBe(0)
  } finally {
    supervisor.stop()
    await one.stop()
  }
})

test('a data directory has one stack: the second is refused and told which process holds it, a dead one counts for nothing', () => {
  const unlock = lockStack(directory)
  const refusal = expect.objectContaining({
    code: 'ERR_STACK_LOCKED',
    message: expect.stringContaining(`process ${process.pid}`),
  })
  expect(() => lockStack(directory)).toThrow(refusal)
  unlock()
  writeFileSync(join(directory, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, marker: 'start.mjs' }))
  lockStack(directory)()
})

test('a cache entry that many want at once is filled once, and a failed filling leaves none', async () => {
  const before = process.env.ROLLCALL_CACHE_DIR
  process.env.ROLLCALL_CACHE_DIR = directory
  try {
    await expect(cachedDirectory('entry', () => Promise.reject(new Error('offline')))).rejects.toThrow('offline')
    let fillings = 0
    const fill = async (half: string) => {
      fillings++
      await delay(50)
      writeFileSync(join(half, 'jar'), 'whole')
    }
    const entries = await Promise.all(Array.from({ length: 4 }, () => cachedDirectory('entry', fill)))
    expect(fillings).toBe(1)
    for (const entry of entries) expect(readFileSync(join(entry, 'jar'), 'utf8')).toBe('whole')
  } finally {
    if (before === undefined) delete process.env.ROLLCALL_CACHE_DIR
    else process.env.ROLLCALL_CACHE_DIR = before
  }
})

test('the lock of a process that died is taken over', async () => {
  const path = join(directory, 'entry.lock')
  writeFileSync(path, String(2 ** 22 + 1))
  expect(await withLock(path, async () => 'done')).toBe('done')
})
