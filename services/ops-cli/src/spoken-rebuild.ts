import type { Rebuild } from './projection-status.js'
import { counted, grouped, spoken } from './terminal.js'

/** How a rebuild ended, for people: the proof, and what differs. */
export function spokenRebuild(name: string, rebuild: Rebuild): string {
  const seconds = secondsOf(rebuild)
  if (rebuild.phase === 'failed') {
    return `The rebuild of ${name} failed, the read model is as before: ${rebuild.error ?? 'no reason given'}`
  }
  if (rebuild.phase === 'built') {
    return [
      `The new side of ${name} is built but not in place: ${rebuild.error ?? 'no reason given'}.`,
      ...differences(rebuild),
      `It follows the topic meanwhile. To take it: rollcall projections cut-over ${name}. To drop it: rollcall projections abandon ${name}.`,
    ].join('\n')
  }
  const done = `Projection ${name} is rebuilt from ${grouped(rebuild.total)} events in ${spoken(seconds)}.`
  return [done, ...proofOf(rebuild), ...differences(rebuild)].join('\n')
}

export const secondsOf = ({ startedAt, finishedAt }: Rebuild) =>
  (Date.parse(finishedAt ?? startedAt) - Date.parse(startedAt)) / 1_000

function proofOf({ kind, proof, unproven }: Rebuild): string[] {
  if (unproven !== undefined) return [`Not compared with the old side: ${unproven}.`]
  if (proof === undefined)
    return kind === 'replay' ? ['It was rebuilt in place; there was nothing to compare it with.'] : []
  const parked = Math.max(proof.parkedLive, proof.parkedNext)
  const but = parked > 0 ? `, but ${counted(parked, 'parked user')}` : ''
  return proof.differing === 0
    ? [
        `Proven equal to the side before: ${grouped(proof.rows)} rows compared at one position in ${(proof.tookMs / 1_000).toFixed(1)} s${but}.`,
      ]
    : []
}

function differences({ proof }: Rebuild): string[] {
  if (proof === undefined || proof.differing === 0) return []
  const shown = proof.differences.map(({ table, key, live, other }) => {
    const where = `${table}${key === null ? '' : ` ${key}`}`
    if (live === null) return `  ${where}: only on the new side`
    if (other === null) return `  ${where}: only on the side before`
    return `  ${where}: ${changedColumns(live, other)}`
  })
  const more = proof.differing - shown.length
  return [
    `${counted(proof.differing, 'row differs', 'rows differ')} (side before -> new side):`,
    ...shown,
    ...(more > 0 ? [`  and ${grouped(more)} more`] : []),
  ]
}

const changedColumns = (live: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>) =>
  Object.keys(live)
    .filter((column) => JSON.stringify(live[column]) !== JSON.stringify(other[column]))
    .map((column) => `${column} ${JSON.stringify(live[column])} -> ${JSON.stringify(other[column])}`)
    .join(', ')
