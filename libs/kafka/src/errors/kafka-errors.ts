import { type ErrorFacts, RollcallError } from '@rollcall/errors'

/** `ERR_KAFKA_UNREACHABLE` (retryable): no broker answered, or a leader was not available in time. */
export class KafkaUnreachableError extends RollcallError {
  constructor(doing: string, cause: unknown, facts: ErrorFacts = {}) {
    super({
      code: 'ERR_KAFKA_UNREACHABLE',
      message: `Kafka did not answer while ${doing}: ${reasonOf(cause)}. Check KAFKA_BROKERS and that the brokers are up.`,
      retryable: true,
      facts,
      cause,
    })
  }
}

/**
 * `ERR_KAFKA_COORDINATOR_NOT_READY` (retryable): brokers answer, but none of them serves the group yet. Usual for a few
 * seconds after a broker has started, and while the coordinator of a group moves.
 */
export class KafkaCoordinatorNotReadyError extends RollcallError {
  constructor(doing: string, protocolCode: string, cause: unknown, facts: ErrorFacts = {}) {
    super({
      code: 'ERR_KAFKA_COORDINATOR_NOT_READY',
      message: `Kafka has no coordinator ready while ${doing}: ${protocolCode}. Should this last, look at the brokers' logs and at the topic __consumer_offsets.`,
      retryable: true,
      facts: { ...facts, protocolCode },
      cause,
    })
  }
}

/** `ERR_KAFKA_TOPIC_MISSING`: the topic, or the partition asked for, does not exist. */
export class TopicMissingError extends RollcallError {
  constructor(topic: string, cause?: unknown, partition?: number) {
    super({
      code: 'ERR_KAFKA_TOPIC_MISSING',
      message:
        partition === undefined
          ? `Topic "${topic}" does not exist. Create it with "rollcall topics apply".`
          : `Topic "${topic}" has no partition ${partition}.`,
      facts: partition === undefined ? { topic } : { topic, partition },
      cause,
    })
  }
}

/** `ERR_KAFKA_RECORD_TOO_LARGE`: the broker refuses a record or batch of this size. */
export class RecordTooLargeError extends RollcallError {
  constructor(topic: string, partition: number, bytes: number, cause: unknown) {
    super({
      code: 'ERR_KAFKA_RECORD_TOO_LARGE',
      message: `A record of ${bytes} bytes for topic "${topic}" partition ${partition} is larger than the broker takes. Make it smaller, or raise max.message.bytes of the topic.`,
      facts: { topic, partition, bytes },
      cause,
    })
  }
}

/** `ERR_KAFKA_BATCH_UNREADABLE`: a record batch of the log unpacks to too much, by an unknown codec, or to no records. */
export class RecordBatchUnreadableError extends RollcallError {
  constructor(firstOffset: number, lastOffset: number, bytes: number, reason: string) {
    super({
      code: 'ERR_KAFKA_BATCH_UNREADABLE',
      message: `The record batch of offsets ${firstOffset} to ${lastOffset} cannot be read: ${reason}.`,
      facts: { firstOffset, lastOffset, bytes, reason },
    })
  }
}

/** `ERR_KAFKA_AUTHORIZATION_DENIED`: the credentials are right, but may not do this to this topic, group or cluster. */
export class KafkaAuthorizationDeniedError extends RollcallError {
  constructor(doing: string, protocolCode: string, cause: unknown, facts: ErrorFacts = {}) {
    super({
      code: 'ERR_KAFKA_AUTHORIZATION_DENIED',
      message: `Kafka refused ${doing}: ${protocolCode}. Grant this user the missing ACL.`,
      facts: { ...facts, protocolCode },
      cause,
    })
  }
}

/** `ERR_KAFKA_AUTHENTICATION_FAILED`: wrong or missing credentials, or a mechanism the broker does not offer. */
export class KafkaAuthenticationError extends RollcallError {
  constructor(cause: unknown) {
    super({
      code: 'ERR_KAFKA_AUTHENTICATION_FAILED',
      message: `Kafka did not accept the credentials: ${reasonOf(cause)}. Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.`,
      cause,
    })
  }
}

/**
 * `ERR_KAFKA_PRODUCER_FENCED` (retryable): the broker no longer accepts this producer's id, epoch or sequence numbers.
 * The producer was thrown away; the next send uses a new one. Records of the failed send may be in the log.
 */
export class KafkaProducerFencedError extends RollcallError {
  constructor(protocolCode: string, cause: unknown) {
    super({
      code: 'ERR_KAFKA_PRODUCER_FENCED',
      message: `Kafka no longer accepts this producer (${protocolCode}). The next send starts a new one; send the failed records again.`,
      retryable: true,
      facts: { protocolCode },
      cause,
    })
  }
}

/** `ERR_KAFKA_REQUEST_FAILED`: Kafka refused a request for a reason that has no name of its own here. */
export class KafkaRequestFailedError extends RollcallError {
  constructor(doing: string, cause: unknown, retryable: boolean, facts: ErrorFacts = {}) {
    super({
      code: 'ERR_KAFKA_REQUEST_FAILED',
      message: `Kafka failed while ${doing}: ${reasonOf(cause)}.`,
      retryable,
      facts,
      cause,
    })
  }
}

/** `ERR_KAFKA_CLIENT_CLOSED`: the producer or consumer was closed by its owner. */
export class KafkaClientClosedError extends RollcallError {
  constructor(what: string) {
    super({ code: 'ERR_KAFKA_CLIENT_CLOSED', message: `The ${what} is closed. Make a new one.` })
  }
}

/** `ERR_KAFKA_RECORD_BODY_INVALID`: bytes that are not one whole record body. */
export class RecordBodyInvalidError extends RollcallError {
  constructor(bytes: number, cause: unknown) {
    super({
      code: 'ERR_KAFKA_RECORD_BODY_INVALID',
      message: `${bytes} bytes are not a Kafka record body: ${reasonOf(cause)}. Make bodies with encodeRecordBody.`,
      facts: { bytes },
      cause,
    })
  }
}

/** One way in which a topic differs from its spec, with the command or act that mends it. */
export interface TopicDifference {
  readonly topic: string
  readonly what: string
  readonly is: string
  readonly shouldBe: string
  readonly mend: string
}

/** `ERR_KAFKA_TOPIC_MISMATCH`: topics exist with other settings than asked for; `facts.differences` lists all of them. */
export class TopicMismatchError extends RollcallError {
  readonly differences: readonly TopicDifference[]

  constructor(differences: readonly TopicDifference[]) {
    super({
      code: 'ERR_KAFKA_TOPIC_MISMATCH',
      message: differences
        .map(
          ({ topic, what, is, shouldBe, mend }) =>
            `Topic "${topic}" has ${what} ${is}, but should have ${shouldBe}.\n${mend}`,
        )
        .join('\n'),
      facts: { differences },
    })
    this.differences = differences
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause)
}
