import { OutboxStateInvalidError } from '../errors.js'

/** A `pg_snapshot` as text, `xmin:xmax:in,progress`, checked so that it may stand inside SQL text. */
export type SnapshotText = string & { readonly __snapshot: true }

/** The snapshot before the first transaction: nothing is visible in it. */
export const EMPTY_SNAPSHOT = '1:1:' as SnapshotText

/** @throws OutboxStateInvalidError when the text is no snapshot. */
export function snapshotText(text: string): SnapshotText {
  if (!/^\d+:\d+:(\d+(,\d+)*)?$/.test(text)) throw new OutboxStateInvalidError(`"${text}" is not a snapshot`)
  return text as SnapshotText
}

/** First transaction id the snapshot knows nothing about. */
export function xmaxOf(snapshot: SnapshotText): string {
  return snapshot.split(':')[1] as string
}

/** The transactions that were running when the snapshot was taken, comma-separated; empty when none was. */
export function inProgressOf(snapshot: SnapshotText): string {
  return snapshot.split(':')[2] as string
}
