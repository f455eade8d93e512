import type { MemorySession } from './memory-database.js'
import type { UserNames } from './show.js'

/** What a commit changed, in words; undefined when nothing worth telling. */
export function showCommit(session: MemorySession, names: UserNames): string | undefined {
  const changes: string[] = []
  for (const [table, rows] of session.writes) {
    for (const [key, row] of rows) changes.push(changeOf(table.name, key, row, names))
  }
  const told = changes.filter((one) => one !== '')
  return told.length > 0 ? `   committed: ${told.join(', ')}` : undefined
}

function changeOf(table: string, key: string, row: unknown, names: UserNames): string {
  const [kind] = table.split(' ')
  if (kind === 'projections.applied_version')
    return row === undefined ? `forgets ${names.of(key)}` : `${names.of(key)} v${row}`
  if (kind === 'projections.checkpoint') {
    const { position, epoch, claimedBy } = row as { position: number; epoch: number; claimedBy: string | null }
    return `partition ${key} at ${position} (epoch ${epoch}, ${claimedBy})`
  }
  if (kind === 'projections.parked_user') return `${row === undefined ? 'releases' : 'parks'} ${names.of(key)}`
  if (kind === 'projections.dead_letter') return row === undefined ? `drops letter ${key}` : `keeps letter ${key}`
  return ''
}
