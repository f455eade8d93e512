import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databaseUrl, startEmbeddedStack } from '@rollcall/dev'

export interface BenchStack {
  readonly kafka: string
  readonly schemaRegistry: string
  /** URL of an existing or new database of the server; the caller creates it with `ensureDatabase`. */
  databaseUrl(name: string): string
  /** Process id of a part of the stack: `postgres`, `kafka`. */
  pidOf(name: string): number
  close(): Promise<void>
}

/**
 * A stack of its own with fsync and synchronous_commit on, its JIT compilers unrestrained and room in shared buffers:
 * what a small production machine would have. Thrown away afterwards.
 */
export async function startBenchStack(): Promise<BenchStack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'rollcall-bench-'))
  const stack = await startEmbeddedStack({
    dataDir,
    fsync: true,
    optimise: true,
    postgresSettings: { shared_buffers: '1GB', max_wal_size: '8GB', jit: 'off', max_connections: '200' },
  })
  const endpoints = stack.endpoints()
  return {
    kafka: endpoints.kafka,
    schemaRegistry: endpoints.schemaRegistry,
    databaseUrl: (name) => databaseUrl(endpoints.postgres, name),
    pidOf(name) {
      const pid = stack.processes.find((one) => one.name === name)?.pid
      if (pid === undefined) throw new Error(`${name} does not run`)
      return pid
    },
    close: async () => {
      await stack.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
