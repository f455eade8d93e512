import { createRequire } from 'node:module'
import { ConfigInvalidError } from '@rollcall/config'
import type { Logger } from '@rollcall/observability'
import type { Kafka, KafkaConfig as KafkajsConfig, LogEntry, SASLOptions } from 'kafkajs'
import type { KafkaConfig } from '../config.js'

const { Kafka: KafkaClass, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs')

/**
 * Makes a kafkajs client. One for each producer and consumer: kafkajs keeps the committed offsets of a group per client,
 * and two consumers of one group in one client wipe each other's.
 *
 * @param retries how often a request is tried again, 20 ms after the first failure and at most 1 s apart.
 * @throws ConfigInvalidError when variables that belong together are not all there.
 */
export function connectKafkajs(config: KafkaConfig, logger: Logger, retries: number): Kafka {
  const ssl = sslOf(config)
  const sasl = saslOf(config)
  const log = logger.child({ component: 'kafkajs' })
  return new KafkaClass({
    brokers: config.KAFKA_BROKERS,
    clientId: config.KAFKA_CLIENT_ID ?? 'rollcall',
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 20, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries },
    logLevel: logger.isLevelEnabled('debug') ? logLevel.INFO : logLevel.WARN,
    logCreator: () => createLogWriter(log),
  })
}

function sslOf(config: KafkaConfig): KafkajsConfig['ssl'] {
  if (config.KAFKA_SSL !== true) return undefined
  const { KAFKA_SSL_CA: ca, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key } = config
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigInvalidError(['KAFKA_SSL_CERT and KAFKA_SSL_KEY belong together: one of them is missing'])
  }
  if (ca === undefined && cert === undefined) return true
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  }
}

function saslOf(config: KafkaConfig): SASLOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = config
  if (mechanism === undefined && username === undefined && password === undefined) return undefined
  if (mechanism === undefined || username === undefined || password === undefined) {
    throw new ConfigInvalidError([
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD belong together: at least one is missing',
    ])
  }
  return { mechanism, username, password } as SASLOptions
}

// kafkajs reports as errors what it goes on to mend by retrying, several times a second while a broker is away. What it
// gives up is thrown, and logged by whoever catches it. So the same trouble is a warning once in a while, and everything
// else, with the answers that each of its connections reports once more, is for debugging.
function createLogWriter(log: Logger): (entry: LogEntry) => void {
  const lastWarnings = new Map<string, number>()
  const isWorthWarning = (key: string, nowMs: number): boolean => {
    if (nowMs - (lastWarnings.get(key) ?? Number.NEGATIVE_INFINITY) < SAME_WARNING_AFTER_MS) return false
    if (lastWarnings.size >= 100) lastWarnings.clear()
    lastWarnings.set(key, nowMs)
    return true
  }
  return ({ namespace, level, log: line }) => {
    const reason = line.message
    if (NOISE.some((noise) => reason.includes(noise))) return
    const facts: Record<string, unknown> = { namespace, reason }
    for (const name of LOGGED_FACTS) if (line[name] !== undefined) facts[name] = line[name]
    const isTrouble = level <= logLevel.WARN && namespace !== 'Connection'
    if (isTrouble && isWorthWarning(`${namespace} ${reason}`, performance.now()))
      log.warn(facts, 'kafkajs reports trouble')
    else log.debug(facts, 'kafkajs reports')
  }
}

const SAME_WARNING_AFTER_MS = 10_000

const LOGGED_FACTS = [
  'broker',
  'nodeId',
  'topic',
  'partition',
  'groupId',
  'memberId',
  'retryCount',
  'retryTime',
  'error',
]

const NOISE = [
  // A failed send throws the producer away with its sequence numbers, so bounded retries are safe here.
  'Limiting retries for the idempotent producer',
  // The ordinary course of a rebalance; the consumer logs it once, with its partitions.
  'The group is rebalancing',
]
