import type { Metrics } from '@rollcall/observability'

export type KafkaMetrics = ReturnType<typeof declareMetrics>

/** The metrics of this package; README lists them. */
export function declareMetrics(metrics: Metrics) {
  return {
    recordsSent: metrics.counter({
      name: 'rollcall_kafka_records_sent_total',
      help: 'Records acknowledged by all in-sync replicas.',
      labelNames: ['topic'],
    }),
    bytesSent: metrics.counter({
      name: 'rollcall_kafka_bytes_sent_total',
      help: 'Bytes of the bodies of acknowledged records.',
      labelNames: ['topic'],
    }),
    sendSeconds: metrics.histogram({
      name: 'rollcall_kafka_send_seconds',
      help: 'Time from the start of one send to its acknowledgement, without waiting for earlier sends.',
      labelNames: ['topic'],
    }),
    sendUncovered: metrics.counter({
      name: 'rollcall_kafka_send_uncovered_total',
      help: 'Records that kafkajs reported as sent although it had not sent them; they were sent again.',
      labelNames: ['topic'],
    }),
    sendFailures: metrics.counter({
      name: 'rollcall_kafka_send_failures_total',
      help: 'Sends that failed, by error code.',
      labelNames: ['topic', 'code'],
    }),
    recordsReceived: metrics.counter({
      name: 'rollcall_kafka_records_received_total',
      help: 'Records handed to the batch handler of a group consumer and handled.',
      labelNames: ['topic', 'group'],
    }),
    batchFailures: metrics.counter({
      name: 'rollcall_kafka_batch_failures_total',
      help: 'Batches whose handler threw and that will be handed out again.',
      labelNames: ['topic', 'group'],
    }),
    joins: metrics.counter({
      name: 'rollcall_kafka_group_joins_total',
      help: 'Times this consumer joined or rejoined its group.',
      labelNames: ['topic', 'group'],
    }),
    fastEncoder: metrics.gauge({
      name: 'rollcall_kafka_fast_encoder',
      help: '1 when records are encoded in one pass, 0 when the encoder of kafkajs is in use.',
    }),
    fastDecoder: metrics.gauge({
      name: 'rollcall_kafka_fast_decoder',
      help: '1 when fetched records are decoded in place, 0 when the decoder of kafkajs is in use.',
    }),
  }
}
