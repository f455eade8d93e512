import type { TableRow } from '../../define-projection.js'
import { type MemorySession, type MemoryTable, readRow, scan, writeRow } from './memory-database.js'

/** Rows by table and key, inside one transaction: what handlers write to in the simulator. Each call is a step of its own. */
export interface MemoryTables {
  get(table: string, key: string): Promise<TableRow | undefined>
  /** Inserts the row, or sets these columns of the one that is there. */
  upsert(table: string, key: string, row: TableRow): Promise<void>
  /** Answers whether there was one. */
  delete(table: string, key: string): Promise<boolean>
  rows(table: string): Promise<readonly TableRow[]>
  clear(table: string): Promise<void>
}

export function memoryTables(
  session: MemorySession,
  table: (name: string) => MemoryTable<TableRow>,
  run: <R>(label: string, execute: () => R) => Promise<R>,
): MemoryTables {
  return {
    get: (name, key) => run('get row', () => readRow(session, table(name), key)),
    upsert: (name, key, row) =>
      run('upsert row', () => {
        const before = readRow(session, table(name), key)
        writeRow(session, table(name), key, before === undefined ? { ...row } : { ...before, ...row })
      }),
    delete: (name, key) =>
      run('delete row', () => {
        const was = readRow(session, table(name), key) !== undefined
        writeRow(session, table(name), key, undefined)
        return was
      }),
    rows: (name) => run('read rows', () => [...scan(session, table(name))].map(([, row]) => row)),
    clear: (name) =>
      run('clear rows', () => {
        for (const [key] of [...scan(session, table(name))]) writeRow(session, table(name), key, undefined)
      }),
  }
}
