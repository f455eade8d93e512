import type pg from 'pg'

export type Pool = pg.Pool
export type PoolClient = pg.PoolClient

/** One statement: a text, or a named statement that Postgres parses once per connection. */
export type SqlStatement = string | { readonly name?: string; readonly text: string; readonly values?: unknown[] }

export interface SqlResult<R> {
  rows: R[]
  /** Rows the statement returned or changed; null for statements that do neither. */
  rowCount: number | null
}

/**
 * What a package needs to run SQL inside its caller's transaction. A pg `Pool` and `PoolClient` are one as they
 * stand. `int8` arrives as a number from pools of `createPool` and as text from others: read it with `Number()`.
 */
export interface Sql {
  // The row type is the caller's claim, exactly as in pg: nothing checks it at run time.
  // biome-ignore lint/suspicious/noExplicitAny: pg's own row bound; `unknown` would stop a Pool from being a Sql
  query<R extends Record<string, any> = Record<string, unknown>>(
    statement: SqlStatement,
    values?: unknown[],
  ): Promise<SqlResult<R>>
}
