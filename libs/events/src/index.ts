export {
  type AvroArray,
  type AvroDefinition,
  type AvroEnum,
  type AvroField,
  type AvroNamed,
  type AvroPrimitive,
  type AvroRecord,
  type AvroSchema,
  type DataClass,
  fullName,
} from './avro-schema.js'
export { type CloudEventOptions, cloudEventHeaders, sequenceOf } from './cloud-event-headers.js'
export {
  EventInvalidError,
  EventMalformedError,
  EventTypeUnknownError,
  SchemaIncompatibleError,
  SchemaNotRegisteredError,
  SchemaRegistryRefusedError,
  SchemaRegistryUnreachableError,
  SchemaUnknownError,
  SchemaUnreadableError,
} from './codec/codec-errors.js'
export { type CodecOptions, createCodec, type EventCodec, MAX_EVENT_BYTES } from './codec/create-codec.js'
export type {
  Actor,
  ActorType,
  Email,
  PersonName,
  User,
  UserCreated,
  UserDeleted,
  UserLifecycleEvent,
  UserReactivated,
  UserRestored,
  UserStatus,
  UserSuspended,
  UserUpdated,
} from './generated/users.js'
export type { JsonObject, JsonValue } from './json.js'
export { SUBSCRIBERS_TOPIC, type SubscriberAnnouncement } from './subscribers.js'
export { defineTopic, type EventFacts, type Topic } from './topic.js'
export { userLifecycle } from './user-lifecycle.js'
