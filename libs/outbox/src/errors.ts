import { RollcallError } from '@rollcall/errors'

/** The database behind the outbox is not the one the relay's position was written in. */
export class OutboxDatabaseChangedError extends RollcallError {
  constructor(reason: string, facts: Readonly<Record<string, unknown>>) {
    super({
      code: 'ERR_OUTBOX_DATABASE_CHANGED',
      message: `The relay refuses to run: ${reason}, so this database was restored, copied, re-created or set back in time and the relay's position means nothing in it. If it is the right database, decide what to send again (pending, everything or nothing) with reanchorRelay, in Rollcall with relay-main.js reanchor --resend <which>; then start the relay, and verify the read models: they may hold changes this database does not.`,
      facts,
    })
  }
}

/** A topic has another number of partitions than when its first message was shipped. */
export class OutboxPartitionsChangedError extends RollcallError {
  constructor(topic: string, expected: number, found: number) {
    super({
      code: 'ERR_OUTBOX_PARTITIONS_CHANGED',
      message: `Topic ${topic} had ${expected} partitions when the relay first wrote to it and has ${found} now; keys would move and their order break. Recreate the topic with ${expected} partitions, or move to a new topic.`,
      facts: { topic, expected, found },
    })
  }
}

/** Kafka refuses one message for its size, alone in its batch. */
export class OutboxRecordTooLargeError extends RollcallError {
  constructor(aggregateId: string, version: number, topic: string, bytes: number, cause: unknown) {
    super({
      code: 'ERR_OUTBOX_RECORD_TOO_LARGE',
      message: `The relay stopped: version ${version} of aggregate ${aggregateId} is ${bytes} bytes, more than topic ${topic} takes. Raise max.message.bytes of the topic, then start the relay; nothing behind it was skipped.`,
      facts: { aggregateId, version, topic, bytes },
      cause,
    })
  }
}

/** A stored record has no key, so no partition can be computed for it. */
export class OutboxRecordInvalidError extends RollcallError {
  constructor(messageId: number, reason: string) {
    super({
      code: 'ERR_OUTBOX_RECORD_INVALID',
      message: `Outbox message ${messageId} cannot be shipped: ${reason}. Records are made by encodeRecordBody with a key.`,
      facts: { messageId },
    })
  }
}

/** The id sequence of the outbox was altered in a way that breaks the order per aggregate. */
export class OutboxSequenceInvalidError extends RollcallError {
  constructor(cache: number, increment: number) {
    super({
      code: 'ERR_OUTBOX_SEQUENCE_INVALID',
      message: `The id sequence of outbox.message has CACHE ${cache} INCREMENT ${increment}; set CACHE 1 INCREMENT 1, or two sessions draw ids out of order.`,
      facts: { cache, increment },
    })
  }
}

/** The relay's state row is missing or holds something the relay did not write. */
export class OutboxStateInvalidError extends RollcallError {
  constructor(reason: string) {
    super({
      code: 'ERR_OUTBOX_STATE_INVALID',
      message: `The state row outbox.relay cannot be used: ${reason}. Run the migrations; if they ran, restore the row.`,
      facts: { reason },
    })
  }
}

/** Another relay took over; this one published nothing knowingly since and acknowledges nothing more. */
export class RelayFencedError extends RollcallError {
  constructor(epoch: number) {
    super({
      code: 'ERR_OUTBOX_RELAY_FENCED',
      message: `Another relay took over after epoch ${epoch}; this one goes back to standby.`,
      retryable: true,
      facts: { epoch },
    })
  }
}

/** The relay is not progressing; for readiness checks. */
export class RelayUnhealthyError extends RollcallError {
  constructor(reason: string, cause?: unknown) {
    super({
      code: 'ERR_OUTBOX_RELAY_UNHEALTHY',
      message: `The relay makes no progress: ${reason}.`,
      retryable: true,
      facts: { reason },
      cause,
    })
  }
}
