import type { RollcallError } from '@rollcall/errors'
import type { Message } from 'kafkajs'
import { KafkaRequestFailedError, RecordTooLargeError, TopicMissingError } from '../errors/kafka-errors.js'
import { protocolCodeOf, toKafkaError } from '../errors/to-kafka-error.js'
import type { OutgoingRecord } from '../record.js'
import { decodeRecordBody } from '../record-body.js'
import type { Round } from './send-rounds.js'

/** Refuses records for partitions that the topic does not have. @throws TopicMissingError */
export async function checkPartitions(
  topic: string,
  records: readonly OutgoingRecord[],
  partitionCount: (topic: string) => Promise<number>,
): Promise<void> {
  const count = await partitionCount(topic)
  for (const { partition } of records) {
    if (!(partition >= 0 && partition < count)) throw new TopicMissingError(topic, undefined, partition)
  }
}

/** A record as kafkajs's own encoder takes it. */
export function toStockMessage({ partition, body, timestampMs }: OutgoingRecord): Message {
  const { key, value, headers } = decodeRecordBody(body)
  return { partition, key, value, headers, timestamp: String(timestampMs) }
}

/** The error of a send, or, without a topic, of connecting. */
export function nameFailure(error: unknown, topic: string | undefined, round: Round): RollcallError {
  if (topic === undefined) return toKafkaError(error, { doing: 'connecting a producer' })
  const code = protocolCodeOf(error)
  if (code !== 'MESSAGE_TOO_LARGE' && code !== 'RECORD_LIST_TOO_LARGE') {
    return toKafkaError(error, { doing: 'sending records', topic })
  }
  // With the stock response parser the partition is not known: the largest record is the likely one.
  const { partition: named } = error as { partition?: number }
  const suspects = named === undefined ? [...round.values()].flat() : (round.get(named) ?? [])
  const largest = suspects.reduce<OutgoingRecord | undefined>(
    (most, record) => (most === undefined || record.body.length > most.body.length ? record : most),
    undefined,
  )
  return new RecordTooLargeError(topic, largest?.partition ?? named ?? -1, largest?.body.length ?? 0, error)
}

/** For a send that waited behind one that failed. */
export function earlierSendFailed(topic: string): RollcallError {
  const reason = new Error('an earlier send of this producer failed, and sending on would change the order of records')
  return new KafkaRequestFailedError('waiting to send', reason, true, { topic })
}
