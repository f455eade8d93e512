import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedDirectory, cacheKey } from './cache.js'
import { findJava, type Java, resolveWithMaven } from './java.js'
import { type ManagedProcess, manageProcess, type ProcessSpec } from './managed-process.js'
import { findFreePort } from './ports.js'

const assets = fileURLToPath(new URL('../schema-registry/', import.meta.url))

export interface SchemaRegistryOptions {
  /** Kept between starts: schema ids must outlive a restart, events in Kafka hold them. */
  readonly dataDir: string
  /** @default a free one */
  readonly port?: number
}

export interface SchemaRegistryServer extends ManagedProcess {
  readonly port: number
  /** Base of the Confluent API, version 7. */
  readonly url: string
}

/** Apicurio Registry 2.6 on an H2 file, compatibility FULL_TRANSITIVE. @throws ToolMissingError, PortTakenError, ProcessNotStartedError */
export async function startSchemaRegistry({ dataDir, port }: SchemaRegistryOptions): Promise<SchemaRegistryServer> {
  const java = await findJava()
  const { jar, archive } = await installSchemaRegistry(java)
  mkdirSync(dataDir, { recursive: true })
  const chosenPort = port ?? (await findFreePort())
  const url = confluentUrl(chosenPort)
  const server = manageProcess({
    ...registrySpec({ java, jar, dataDir, port: chosenPort }),
    args: [
      ...flags(dataDir),
      '-XX:TieredStopAtLevel=1',
      `-XX:SharedArchiveFile=${archive}`,
      '-Xlog:cds=off',
      '-Xshare:auto',
      '-jar',
      jar,
    ],
  })
  await server.start()
  return Object.assign(server, { port: chosenPort, url })
}

/** The unpacked registry and its class archive in the user's cache. */
export async function installSchemaRegistry(java: Java): Promise<{ readonly jar: string; readonly archive: string }> {
  const pom = join(assets, 'pom.xml')
  const key = cacheKey(readFileSync(pom))
  const directory = await cachedDirectory(`schema-registry-${key}`, (half) =>
    resolveWithMaven(pom, 'unpack-dependencies', half),
  )
  const jar = join(directory, 'apicurio-registry-app-2.6.13.Final-runner.jar')
  const prepared = await cachedDirectory(`schema-registry-${key}-${cacheKey(java.version, jar)}`, (half) =>
    prepare(java, jar, half),
  )
  return { jar, archive: join(prepared, 'registry.jsa') }
}

// One run that ends in a class archive: 1.1 s to the first answer instead of 3.0.
async function prepare(java: Java, jar: string, directory: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'rollcall-registry-'))
  try {
    const server = manageProcess({
      ...registrySpec({ java, jar, dataDir: work, port: await findFreePort() }),
      args: [
        ...flags(work),
        `-XX:ArchiveClassesAtExit=${join(directory, 'registry.jsa')}`,
        '-Xlog:cds=off',
        '-jar',
        jar,
      ],
    })
    await server.start()
    await server.kill('SIGTERM') // not stop(): writing the archive may take longer than its patience
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function registrySpec({
  java,
  jar,
  dataDir,
  port,
}: {
  java: Java
  jar: string
  dataDir: string
  port: number
}): Omit<ProcessSpec, 'args'> {
  return {
    name: 'schema-registry',
    command: java.command,
    cwd: join(jar, '..'),
    env: {
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(port),
      // H2 waits 500 ms before it writes a commit to its file; a registration answered before a kill -9 must be there after it.
      REGISTRY_DATASOURCE_URL: `jdbc:h2:file:${join(dataDir, 'schemas')};WRITE_DELAY=0`,
      QUARKUS_LOG_LEVEL: 'WARN',
      LOG_LEVEL: 'WARN',
    },
    marker: markerFlag(dataDir),
    pidDir: dataDir,
    logFile: join(dataDir, 'schema-registry.log'),
    ports: [{ port, variable: 'ROLLCALL_SCHEMA_REGISTRY_PORT' }],
    isReady: () => setCompatibility(confluentUrl(port)),
    isTransientFailure: (log) => log.includes('Database may be already in use'),
  }
}

/** Ready means: it took the global compatibility level, whose default NONE would let any schema pass. */
export async function setCompatibility(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/config`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ compatibility: 'FULL_TRANSITIVE' }),
      signal: AbortSignal.timeout(5_000),
    })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}

const markerFlag = (dataDir: string) => `-Drollcall.data=${dataDir}`
const flags = (dataDir: string) => ['-Xmx256m', '-XX:+UseSerialGC', markerFlag(dataDir)]
const confluentUrl = (port: number) => `http://127.0.0.1:${port}/apis/ccompat/v7`
