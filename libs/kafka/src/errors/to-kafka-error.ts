import { type ErrorFacts, RollcallError } from '@rollcall/errors'
import {
  KafkaAuthenticationError,
  KafkaAuthorizationDeniedError,
  KafkaCoordinatorNotReadyError,
  KafkaProducerFencedError,
  KafkaRequestFailedError,
  KafkaUnreachableError,
  TopicMissingError,
} from './kafka-errors.js'

export interface FailedAct {
  /** Completes "Kafka failed while …". */
  readonly doing: string
  readonly topic?: string
  readonly facts?: ErrorFacts
}

/**
 * Names what kafkajs threw. It wraps a refusal in retry errors, aggregates and errors of other meaning, so the whole
 * chain of causes is asked, the most telling answer first.
 */
export function toKafkaError(error: unknown, { doing, topic, facts = {} }: FailedAct): RollcallError {
  const links = [...chainOf(error)]
  const ours = links.find((link) => link instanceof RollcallError)
  if (ours !== undefined) return ours as RollcallError
  const allFacts = topic === undefined ? facts : { topic, ...facts }
  const codes = links.map(({ type }) => type).filter((type) => typeof type === 'string')
  const names = links.map(({ name }) => name)

  const denied = codes.find((code) => code.endsWith('AUTHORIZATION_FAILED'))
  if (denied !== undefined) return new KafkaAuthorizationDeniedError(doing, denied, error, allFacts)
  if (names.includes('KafkaJSSASLAuthenticationError') || codes.some((code) => SASL_CODES.has(code))) {
    return new KafkaAuthenticationError(error)
  }
  const fenced = codes.find((code) => FENCING_CODES.has(code))
  if (fenced !== undefined) return new KafkaProducerFencedError(fenced, error)
  if (codes.includes('UNKNOWN_TOPIC_OR_PARTITION') || names.includes('KafkaJSTopicMetadataNotLoaded')) {
    return new TopicMissingError(topic ?? '(unnamed)', error)
  }
  const notReady = codes.find(isCoordinatorNotReady)
  if (notReady !== undefined) return new KafkaCoordinatorNotReadyError(doing, notReady, error, allFacts)
  if (names.some((name) => UNREACHABLE_NAMES.has(name)) || codes.some((code) => UNAVAILABLE_CODES.has(code))) {
    return new KafkaUnreachableError(doing, error, allFacts)
  }
  const root = links[links.length - 1]
  return new KafkaRequestFailedError(doing, error, root?.retriable === true, allFacts)
}

/** The protocol code nearest to the top of the chain of causes. */
export function protocolCodeOf(error: unknown): string | undefined {
  for (const { type } of chainOf(error)) if (typeof type === 'string') return type
  return undefined
}

/** True for the answers of a broker that does not serve the group yet, or no longer. */
export function isCoordinatorNotReady(protocolCode: string): boolean {
  return COORDINATOR_CODES.has(protocolCode)
}

interface Link extends Error {
  readonly type?: string
  readonly retriable?: boolean
}

function* chainOf(error: unknown, depth = 0): Generator<Link> {
  if (!(error instanceof Error) && !isErrorShaped(error)) return
  yield error as Link
  if (depth >= 8) return
  const { cause, errors } = error as { cause?: unknown; errors?: unknown }
  yield* chainOf(cause, depth + 1)
  if (Array.isArray(errors)) for (const one of errors) yield* chainOf(one, depth + 1)
}

// In a test runner an error can come from another realm, where instanceof says no.
function isErrorShaped(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'message' in value && 'name' in value
}

const SASL_CODES = new Set(['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE'])

const FENCING_CODES = new Set([
  'INVALID_PRODUCER_EPOCH',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
])

const COORDINATOR_CODES = new Set([
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
])

const UNREACHABLE_NAMES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSLockTimeout',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSGroupCoordinatorNotFound',
])

const UNAVAILABLE_CODES = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'REQUEST_TIMED_OUT',
  'NOT_CONTROLLER',
  'NETWORK_EXCEPTION',
  'KAFKA_STORAGE_ERROR',
])
