import { isTransientDatabaseError, type Pool, type Sql, type SqlStatement } from '@rollcall/database'
import type { ProjectionStore } from './projection-store.js'
import { SEARCH_FIRST, type StoreConnection, sqlStore } from './sql-store.js'
import { quoted } from './table-rows.js'

/** What the store needs of a generated Prisma client, whichever schema it was generated from. */
export interface PrismaTransactions<Tx extends PrismaRaw> extends PrismaRaw {
  $transaction<R>(
    work: (tx: Tx) => Promise<R>,
    options?: { readonly maxWait?: number; readonly timeout?: number },
  ): Promise<R>
}

export interface PrismaRaw {
  $queryRawUnsafe<Rows = unknown>(text: string, ...values: unknown[]): PromiseLike<Rows>
  $executeRawUnsafe(text: string, ...values: unknown[]): PromiseLike<number>
}

export interface PrismaStoreOptions<Tx extends PrismaRaw = PrismaRaw> {
  /** The pool under the Prisma adapter. Rebuilds beside the live read model need it. */
  readonly pool?: Pool
  /**
   * Makes the same client with its models in another schema, so that handlers can fill a side that is not live:
   * `(schema) => new PrismaClient({ adapter: prismaAdapter(pool, schema) })`.
   */
  readonly inSchema?: (schema: string) => PrismaTransactions<Tx>
  /** Longest one batch may take. @default 60000 */
  readonly transactionTimeoutMs?: number
}

/** The store over a Prisma client; handlers get the interactive transaction's client as `tx`. */
export function prismaStore<Tx extends PrismaRaw>(
  prisma: PrismaTransactions<Tx>,
  options: PrismaStoreOptions<Tx> = {},
): ProjectionStore<Tx> {
  return sqlStore(connection(prisma, options))
}

function connection<Tx extends PrismaRaw>(
  prisma: PrismaTransactions<Tx>,
  options: PrismaStoreOptions<Tx>,
  schema?: string,
): StoreConnection<Tx> {
  const { pool, inSchema, transactionTimeoutMs = 60_000 } = options
  return {
    sql: rawSql(prisma),
    transaction: (work) =>
      prisma.$transaction(
        async (tx) => {
          if (schema !== undefined) await rawSql(tx).query(SEARCH_FIRST, [quoted(schema)])
          return work(tx, rawSql(tx))
        },
        { maxWait: 10_000, timeout: transactionTimeoutMs },
      ),
    isTransient: (error) => isTransientDatabaseError(error) || isTransientPrismaError(error),
    ...(pool === undefined ? {} : { pool }),
    ...(inSchema === undefined ? {} : { inSchema: (name: string) => connection(inSchema(name), options, name) }),
  }
}

function rawSql(client: PrismaRaw): Sql {
  return {
    async query<R>(statement: SqlStatement, given?: unknown[]) {
      const { text, values = given ?? [] } = typeof statement === 'string' ? { text: statement } : statement
      if (!/^\s*(?:SELECT|WITH)\b|\bRETURNING\b/i.test(text)) {
        return { rows: [] as R[], rowCount: await client.$executeRawUnsafe(text, ...values) }
      }
      const rows = await client.$queryRawUnsafe<R[]>(text, ...values)
      return { rows, rowCount: rows.length }
    },
  }
}

// P1001 unreachable, P1002 timed out, P1008 operation timed out, P1017 connection closed, P2024 no free connection,
// P2028 transaction could not be started or was closed, P2034 write conflict or deadlock.
const TRANSIENT = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2034'])

function isTransientPrismaError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code, meta } = error as { code?: unknown; meta?: { driverAdapterError?: DriverAdapterError } }
  if (typeof code === 'string' && TRANSIENT.has(code)) return true
  const adapterError = meta?.driverAdapterError
  // Of a raw query (P2010) only this says what Postgres said.
  return isTransientDatabaseError(adapterError) || isTransientDatabaseError({ code: adapterError?.cause?.originalCode })
}

interface DriverAdapterError {
  readonly cause?: { readonly originalCode?: unknown }
}
