import pg from 'pg'
import type { Endpoints } from './endpoints.js'

const DUPLICATE_DATABASE = '42P04'

/** Creates the services' databases where they are missing. Names come from our own endpoints, never from a user. */
export async function ensureDatabases({ postgres, databases }: Endpoints): Promise<void> {
  const client = new pg.Client({ connectionString: postgres, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    for (const url of Object.values(databases)) {
      const name = new URL(url).pathname.slice(1)
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
      if (rowCount) continue
      try {
        await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`)
      } catch (error) {
        if ((error as { code?: string }).code !== DUPLICATE_DATABASE) throw error // another start was faster
      }
    }
  } finally {
    await client.end()
  }
}
