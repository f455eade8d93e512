import { RollcallError } from '@rollcall/errors'

/** `ERR_EVENT_INVALID`: an event does not fit its schema; names fields and expected types, never values. */
export class EventInvalidError extends RollcallError {
  constructor(type: string, problems: readonly string[]) {
    super({
      code: 'ERR_EVENT_INVALID',
      message: `The ${type} does not fit its schema: ${problems.join('; ')}.`,
      facts: { type, problems },
    })
  }
}

/** `ERR_EVENT_MALFORMED`: bytes that are no event: no magic byte, cut short, too long, or not what the schema says. */
export class EventMalformedError extends RollcallError {
  constructor(topic: string, problem: string, facts: Readonly<Record<string, unknown>> = {}) {
    super({
      code: 'ERR_EVENT_MALFORMED',
      message: `A record of ${topic} is no event: ${problem}.`,
      facts: { topic, problem, ...facts },
    })
  }
}

/** `ERR_EVENT_TYPE_UNKNOWN`: a record of a type that the topic does not carry, or that this build does not know yet. */
export class EventTypeUnknownError extends RollcallError {
  constructor(topic: string, type: string) {
    super({
      code: 'ERR_EVENT_TYPE_UNKNOWN',
      message: `${topic} carries no ${type} that this version of @rollcall/events knows; upgrade it, or find who produced it.`,
      facts: { topic, type },
    })
  }
}

/** `ERR_SCHEMA_UNKNOWN`: the schema registry has no schema of that id. Asked again after a few seconds. */
export class SchemaUnknownError extends RollcallError {
  constructor(topic: string, schemaId: number) {
    super({
      code: 'ERR_SCHEMA_UNKNOWN',
      message: `A record of ${topic} was written with schema ${schemaId}, which the schema registry does not have.`,
      facts: { topic, schemaId },
    })
  }
}

/** `ERR_SCHEMA_UNREADABLE`: records of this schema are not read: no Avro, or of a form that lets few bytes claim much. */
export class SchemaUnreadableError extends RollcallError {
  constructor(schemaId: number, reason: string) {
    super({
      code: 'ERR_SCHEMA_UNREADABLE',
      message: `Records written with schema ${schemaId} are not read here: ${reason}.`,
      facts: { schemaId, reason },
    })
  }
}

/** `ERR_SCHEMA_NOT_REGISTERED`: an event cannot be encoded, because the id of its schema is not known here. */
export class SchemaNotRegisteredError extends RollcallError {
  constructor(subject: string, reason: string) {
    super({
      code: 'ERR_SCHEMA_NOT_REGISTERED',
      message: `The subject ${subject} has no id for this schema: ${reason}`,
      facts: { subject },
    })
  }
}

/** `ERR_SCHEMA_INCOMPATIBLE`: the schema registry refused a schema, because an older version could not be read, or read it. */
export class SchemaIncompatibleError extends RollcallError {
  constructor(subject: string, reason: string, cause?: unknown) {
    super({
      code: 'ERR_SCHEMA_INCOMPATIBLE',
      message: `The schema registry refuses the schema of ${subject}: ${reason}. Run \`npm run check -w libs/events\`.`,
      facts: { subject, reason },
      cause,
    })
  }
}

/** `ERR_SCHEMA_REGISTRY_REFUSED`: the schema registry answers, but not to this: wrong credentials, path or settings. */
export class SchemaRegistryRefusedError extends RollcallError {
  constructor(url: string, reason: string, cause?: unknown) {
    super({
      code: 'ERR_SCHEMA_REGISTRY_REFUSED',
      message: `The schema registry at ${url} refuses: ${reason}`,
      facts: { url, reason },
      cause,
    })
  }
}

/** `ERR_SCHEMA_REGISTRY_UNREACHABLE`: the schema registry does not answer, or answers 5xx. Retryable. */
export class SchemaRegistryUnreachableError extends RollcallError {
  constructor(url: string, reason: string, cause?: unknown) {
    super({
      code: 'ERR_SCHEMA_REGISTRY_UNREACHABLE',
      message: `The schema registry at ${url} does not answer: ${reason}`,
      retryable: true,
      facts: { url, reason },
      cause,
    })
  }
}
