import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  findFreePort,
  loadStackConfig,
  manageProcess,
  startPostgres,
  sweepPidFiles,
  testEndpoints,
} from '@rollcall/dev'
import pg from 'pg'
import { reachablePlace } from '../src/reachable-place.js'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-dev-'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function ask(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows[0]
  } finally {
    await client.end()
  }
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 15_000; !holds(); await delay(25)) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
  }
}

test('the stack of the run is real: Postgres 18, a schema registry that wants full transitive compatibility', async () => {
  const { postgres, schemaRegistry } = testEndpoints()
  expect(await ask(postgres, 'SHOW server_version')).toMatchObject({ server_version: expect.stringMatching(/^18/) })
  const config = (await (await fetch(`${schemaRegistry}/config`)).json()) as { compatibilityLevel: string }
  expect(config.compatibilityLevel).toBe('FULL_TRANSITIVE')
})

test('Postgres keeps what was committed over a kill -9, on the same port', async () => {
  const server = await startPostgres({ dataDir: directory })
  try {
    await ask(server.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
    await server.kill('SIGKILL')
    await server.start()
    expect(await ask(server.url, 'SELECT answer FROM kept')).toEqual({ answer: 42 })
    // Thrown away with the directory: nothing was put elsewhere because a temporary directory is closed.
    expect(existsSync(join(directory, 'cluster'))).toBe(true)
  } finally {
    await server.stop()
  }
})

test('data below a closed directory stands elsewhere, is found again, and goes when its link goes', () => {
  const data = join(directory, 'data') // below a directory that mkdtemp made for its owner only
  mkdirSync(data)
  const place = reachablePlace(data)
  expect(place.startsWith(directory)).toBe(false)
  writeFileSync(join(place, 'kept'), '')
  expect(reachablePlace(data)).toBe(place)
  expect(existsSync(join(place, 'kept'))).toBe(true)
  rmSync(data, { recursive: true })
  mkdirSync(data)
  expect(existsSync(join(reachablePlace(data), 'kept'))).toBe(false)
  rmSync(data, { recursive: true })
  const other = mkdtempSync(join(tmpdir(), 'rollcall-dev-'))
  rmSync(reachablePlace(other), { recursive: true, force: true })
  rmSync(other, { recursive: true, force: true })
  expect(existsSync(place)).toBe(false)
})

test('a taken port is named, with the variable that moves it', async () => {
  const holder = createServer()
  const port = await findFreePort()
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve))
  const start = startPostgres({ dataDir: directory, port })
  await expect(start).rejects.toMatchObject({
    code: 'ERR_PORT_TAKEN',
    message: expect.stringMatching(new RegExp(`${port}.*ROLLCALL_POSTGRES_PORT`, 's')),
  })
  await new Promise((resolve) => holder.close(resolve))
})

/** A parent that starts a child through the library, says its pid, and does nothing more. */
function startParent(): { readonly pid: number; readonly childPid: Promise<number>; kill(): void } {
  const script = join(directory, 'parent.mjs')
  const library = new URL('../dist/index.js', import.meta.url).href
  writeFileSync(
    script,
    `import { manageProcess } from ${JSON.stringify(library)}
     const child = manageProcess({ name: 'sleeper', command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)', ${JSON.stringify(directory)}],
       marker: ${JSON.stringify(directory)}, pidDir: ${JSON.stringify(directory)}, logFile: ${JSON.stringify(join(directory, 'sleeper.log'))}, ports: [], isReady: async () => true })
     await child.start()
     console.log(child.pid)
     setInterval(() => {}, 1000)`,
  )
  const parent = spawn(process.execPath, [script], { env: { ...process.env, NODE_OPTIONS: '' } })
  const childPid = new Promise<number>((resolve) => parent.stdout.once('data', (data) => resolve(Number(String(data)))))
  return { pid: parent.pid as number, childPid, kill: () => void parent.kill('SIGKILL') }
}

test('no child outlives its parent, not even one killed with kill -9', async () => {
  const parent = startParent()
  const childPid = await parent.childPid
  expect(isAlive(childPid)).toBe(true)
  parent.kill()
  await until('the child is gone', () => !isAlive(childPid))
})

test('a left-over child is ended at the next start; another process under its pid is not', async () => {
  const sleeper = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', directory])
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  try {
    writeFileSync(join(directory, 'sleeper.pid.json'), JSON.stringify({ pid: sleeper.pid, marker: directory }))
    writeFileSync(join(directory, 'stranger.pid.json'), JSON.stringify({ pid: stranger.pid, marker: directory }))
    await until('the sleeper runs', () => isAlive(sleeper.pid as number))
    expect(await sweepPidFiles(directory)).toEqual(['sleeper'])
    await until('the sleeper is gone', () => !isAlive(sleeper.pid as number))
    expect(isAlive(stranger.pid as number)).toBe(true)
  } finally {
    sleeper.kill('SIGKILL')
    stranger.kill('SIGKILL')
  }
})

test('a process that dies while it starts is reported with the end of its log', async () => {
  const failing = manageProcess({
    name: 'failing',
    command: process.execPath,
    args: ['-e', 'console.error("cannot find the thing"); process.exit(3)', directory],
    marker: directory,
    pidDir: directory,
    logFile: join(directory, 'failing.log'),
    ports: [],
    isReady: async () => false,
  })
  await expect(failing.start()).rejects.toThrow(/cannot find the thing/)
})

test('every wrong setting is named at once', () => {
  expect(() => loadStackConfig({ ROLLCALL_REGISTRY_PORT: 'x', ROLLCALL_KAFKA_PORT: '70000' })).toThrow(
    /ROLLCALL_REGISTRY_PORT[\s\S]*ROLLCALL_KAFKA_PORT/,
  )
  expect(() => loadStackConfig({ ROLLCALL_STACK: 'external' })).toThrow(/ROLLCALL_POSTGRES_URL/)
})
