import type { PartitionOffsets } from '@rollcall/kafka'

/** How many offsets the partitions hold together: their records, and the holes that compaction left. */
export const recordsIn = (offsets: readonly PartitionOffsets[]): number =>
  offsets.reduce((sum, { low, high }) => sum + high - low, 0)
