import { RollcallError } from '@rollcall/errors'

/** The roll call was not heard to its end yet: Kafka or its topic is away, or this process has just started. */
export class SubscribersUnknownError extends RollcallError {
  constructor(topic: string) {
    super({
      code: 'ERR_SUBSCRIBERS_UNKNOWN',
      message: `Who subscribes is not known: the topic ${topic} is not read to its end yet. Try again in a moment.`,
      retryable: true,
      facts: { topic },
    })
  }
}
