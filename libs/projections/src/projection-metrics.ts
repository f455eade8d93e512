import type { Metrics } from '@rollcall/observability'

/** The metrics of all projections in a process; the README lists them. */
export type ProjectionMetrics = ReturnType<typeof projectionMetrics>

export function projectionMetrics(metrics: Metrics) {
  const projection = ['projection'] as const
  const partition = ['projection', 'partition'] as const
  return {
    applied: metrics.counter({
      name: 'rollcall_projection_events_applied_total',
      help: 'Events whose effects were committed.',
      labelNames: projection,
    }),
    duplicates: metrics.counter({
      name: 'rollcall_projection_duplicates_skipped_total',
      help: 'Events skipped because their version was applied before.',
      labelNames: projection,
    }),
    fenced: metrics.counter({
      name: 'rollcall_projection_batches_fenced_total',
      help: 'Batches rolled back because another claim owns the partition.',
      labelNames: projection,
    }),
    deadLetters: metrics.counter({
      name: 'rollcall_projection_dead_letters_total',
      help: 'Records kept aside, because they or an earlier event of their user could not be applied.',
      labelNames: projection,
    }),
    gapsHealed: metrics.counter({
      name: 'rollcall_projection_gaps_healed_total',
      help: 'Version gaps closed with events fetched from where they are kept.',
      labelNames: projection,
    }),
    repairs: metrics.counter({
      name: 'rollcall_projection_repairs_total',
      help: 'Users mended because a comparison with the registry found them wrong, by what was wrong.',
      labelNames: ['projection', 'kind'],
    }),
    parkedUsers: metrics.gauge({
      name: 'rollcall_projection_parked_users',
      help: 'Users whose events wait, over all partitions.',
      labelNames: projection,
    }),
    retries: metrics.counter({
      name: 'rollcall_projection_retries_total',
      help: 'Batches tried again after a failure that may pass.',
      labelNames: projection,
    }),
    batchSeconds: metrics.histogram({
      name: 'rollcall_projection_batch_seconds',
      help: 'Duration of one transaction of a batch, in seconds.',
      labelNames: projection,
    }),
    delaySeconds: metrics.histogram({
      name: 'rollcall_projection_delay_seconds',
      help: 'Time from the record entering the topic to its commit here, in seconds, last record of each batch.',
      labelNames: projection,
    }),
    lagRecords: metrics.gauge({
      name: 'rollcall_projection_lag_records',
      help: 'Records between the position and the high watermark, of partitions claimed here.',
      labelNames: partition,
    }),
    stopped: metrics.gauge({
      name: 'rollcall_projection_partitions_stopped',
      help: 'Partitions claimed here that stopped on a failure.',
      labelNames: projection,
    }),
    paused: metrics.gauge({
      name: 'rollcall_projection_paused',
      help: 'Set to 1 while the projection is paused.',
      labelNames: projection,
    }),
    rebuildEvents: metrics.gauge({
      name: 'rollcall_projection_rebuild_events',
      help: 'Records read by the rebuild that runs here, or ran last.',
      labelNames: projection,
    }),
  }
}
