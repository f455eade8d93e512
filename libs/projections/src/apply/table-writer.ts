import type { LatestState, ProjectedEvent, TableProjection, TableRow } from '../define-projection.js'
import { ProjectionInvalidError } from '../projection-errors.js'
import { quoted, type RowTable, type TableRows } from '../store/table-rows.js'

/** `row()` threw on the event. */
export class RowFailure extends Error {
  constructor(
    readonly event: ProjectedEvent,
    override readonly cause: unknown,
  ) {
    super('row() failed')
  }
}

/** Makes the rows of a `table` projection and hands them over: all that leave, all that stay. */
export interface TableWriter<E extends ProjectedEvent> {
  /** Writes the last state of each user. @throws RowFailure */
  write(target: TableRows, latest: readonly LatestState<E>[]): Promise<void>
  /** The user's row with the key filled in, checked; null when it has none. */
  rowOf(userId: string, user: E['user'], event: E): TableRow | null
  /** The columns the rows have, the key first; undefined before the first row. */
  columns(): readonly string[] | undefined
}

/** The table itself, or the one of the same name in a schema; for SQL. */
export const tableIn = (table: string, schema: string | undefined): string =>
  schema === undefined ? table : `${quoted(schema)}.${table.split('.').at(-1)}`

/** @param into the table, or one of the same shape */
export function tableWriter<E extends ProjectedEvent>(
  { name, version, table }: TableProjection<E>,
  into = table.name,
): TableWriter<E> {
  let columns: readonly string[] | undefined
  let known: RowTable | undefined

  const rowOf = (userId: string, user: E['user'], event: E): TableRow | null => {
    const given = table.row(user, event)
    if (given === null) return null
    const row: TableRow = { [table.key]: userId, ...given }
    if (row[table.key] !== userId) {
      throw new ProjectionInvalidError(name, `row() answered another ${table.key} than the id of the user it was given`)
    }
    const keys = Object.keys(row)
    columns ??= keys
    if (keys.length !== columns.length || !columns.every((column) => column in row)) {
      throw new ProjectionInvalidError(
        name,
        `row() answered the columns ${keys.join(', ')}, before it were ${columns.join(', ')}; answer the same columns every time, null where there is no value`,
      )
    }
    return row
  }

  const rowOrFailure = (userId: string, user: E['user'], event: E) => {
    try {
      return rowOf(userId, user, event)
    } catch (error) {
      throw new RowFailure(event, error)
    }
  }

  const target = (): RowTable => {
    if (known !== undefined) return known
    const made = { name: into, key: table.key, columns: columns ?? [], statement: `${name}.${version}` }
    // Before the first row the columns are not known yet.
    if (columns !== undefined) known = made
    return made
  }

  return {
    rowOf,
    columns: () => columns,
    async write(to, latest) {
      const leaving: string[] = []
      const rows: TableRow[] = []
      for (const { userId, user, event } of latest) {
        const row = rowOrFailure(userId, user, event)
        if (row === null) leaving.push(userId)
        else rows.push(row)
      }
      if (leaving.length > 0) await to.remove(target(), leaving)
      if (rows.length > 0) await to.upsert(target(), rows)
    },
  }
}
