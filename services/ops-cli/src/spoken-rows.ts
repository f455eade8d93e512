/** A row as it is and as it would be; null where there is none. */
export interface SpokenRow {
  readonly table: string
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>> | null
}

/** What would become of rows, member by member. */
export function spokenRows(rows: readonly SpokenRow[]): string {
  if (rows.length === 0) return 'No row would change.'
  return rows
    .map(({ table, before, after }) => {
      if (before === null) return `${table}: new row\n${members(after ?? {}, '+')}`
      if (after === null) return `${table}: row gone\n${members(before, '-')}`
      const changed = Object.keys(after).filter((key) => JSON.stringify(after[key]) !== JSON.stringify(before[key]))
      const lines = changed.map(
        (key) => `  ${key}: ${JSON.stringify(before[key] ?? null)} -> ${JSON.stringify(after[key] ?? null)}`,
      )
      return [`${table}: row changed`, ...lines].join('\n')
    })
    .join('\n')
}

const members = (row: Readonly<Record<string, unknown>>, sign: string) =>
  Object.entries(row)
    .map(([key, value]) => `  ${sign} ${key}: ${JSON.stringify(value)}`)
    .join('\n')
