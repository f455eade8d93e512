import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** What listens where; the shape of `.rollcall/endpoints.json`. Addresses of services are absent in a stack without services. */
export interface Endpoints {
  readonly provider: 'embedded' | 'containers' | 'external'
  /** Base addresses of the services. */
  readonly registry?: string
  readonly relay?: string
  readonly directory?: string
  /** Kafka bootstrap servers, comma-separated. */
  readonly kafka: string
  /** Base of the Confluent API of the schema registry. */
  readonly schemaRegistry: string
  /** Superuser address of the `postgres` database. */
  readonly postgres: string
  readonly databases: { readonly userRegistry: string; readonly directory: string }
  /** Child processes that run now; empty for processes that are not ours. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[]
}

/** Replaces the file in one step: a reader sees the old content or the new, never half. */
export function writeEndpoints(path: string, endpoints: Endpoints): void {
  mkdirSync(dirname(path), { recursive: true })
  const half = `${path}.${process.pid}`
  writeFileSync(half, `${JSON.stringify(endpoints, null, 2)}\n`)
  renameSync(half, path)
}

export function readEndpoints(path: string): Endpoints {
  return JSON.parse(readFileSync(path, 'utf8')) as Endpoints
}

/**
 * The stack of this test run, started once by jest's global set-up.
 *
 * @throws Error outside a run through infra/jest/jest.config.mjs.
 */
export function testEndpoints(): Endpoints {
  const path = process.env.ROLLCALL_TEST_ENDPOINTS
  if (!path)
    throw new Error('ROLLCALL_TEST_ENDPOINTS is not set: run the tests through `npm test`, which starts the stack.')
  return readEndpoints(path)
}

/** The address of another database on the same server. */
export function databaseUrl(postgres: string, database: string): string {
  const url = new URL(postgres)
  url.pathname = `/${database}`
  return url.href
}
