import { setTimeout as delay } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { createCodec, type EventCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import { type KafkaRecord, partitionOf } from '@rollcall/kafka'
import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { address } from '../endpoints.js'
import { withKafka } from '../kafka-of.js'
import { maskPersonalData } from '../mask-personal-data.js'
import { uuid, wholeNumber } from '../option-values.js'
import { findTailStart } from '../tail-start.js'
import type { Terminal } from '../terminal.js'

/** `rollcall topics tail [topic]` */
export const topicsTailCommand = (act: Act): Command =>
  new Command('tail')
    .summary('print decoded events')
    .description(
      `Prints the events of a topic, decoded, one a line. Joins no consumer group and moves nobody's position.

Values of fields classified as personal data are masked unless asked for. A record that cannot be decoded is shown as such.`,
    )
    .argument('[topic]', 'the topic', userLifecycle.name)
    .option('--from <where>', 'beginning, latest, an offset (of every partition), or an ISO 8601 time', 'beginning')
    .option('--user <id>', 'only the events of one user', uuid)
    .option('--limit <n>', 'stop after so many', wholeNumber(1, 1_000_000_000))
    .option('--follow', 'wait for more until Ctrl-C')
    .option('--show-values', 'show personal data')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 Kafka or the topic is not there, 2 wrong usage.

Examples:
  rollcall topics tail --limit 10
  rollcall topics tail --from latest --follow
  rollcall topics tail --user 01934f6e-0000-7000-8000-000000000001 --show-values --json`,
    )
    .action(act(tailTopic))

interface TailOptions {
  readonly from: string
  readonly user?: string
  readonly limit?: number
  readonly follow?: boolean
  readonly showValues?: boolean
}

const FOLLOW_EVERY_MS = 300

async function tailTopic(context: CommandContext, topic: string, options: TailOptions): Promise<Outcome> {
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: address(context.endpoints, 'schemaRegistry') })
  return withKafka(context, async (kafka): Promise<Outcome> => {
    const start = await findTailStart(kafka, topic, options.from)
    const partitions = partitionsOf(options.user, start.positions.size)
    const enough = new AbortController()
    const signal = AbortSignal.any([context.signal, enough.signal])
    let { positions } = start
    let printed = 0
    do {
      const result = await kafka
        .readTopic({
          topic,
          from: positions,
          signal,
          ...(partitions && { partitions }),
          async onBatch({ partition, records }) {
            for (const record of records) {
              if (signal.aborted) return
              if (record.timestampMs < start.notBeforeMs) continue
              if (options.user !== undefined && record.key?.toString('latin1') !== options.user) continue
              await print(context.terminal, partition, record, codec, options.showValues === true)
              if (++printed === options.limit) enough.abort()
            }
          },
        })
        .catch((error: unknown) => {
          if (signal.aborted) return undefined
          throw error
        })
      if (result === undefined) break
      positions = result.positions
      if (options.follow) await delay(FOLLOW_EVERY_MS, undefined, { signal }).catch(() => {})
    } while (options.follow && !signal.aborted)
    return 'done'
  })
}

/** A producer may write any 64 bits as the time, and a Date holds fewer. */
function timeOf(timestampMs: number): string {
  const time = new Date(timestampMs)
  return Number.isNaN(time.getTime()) ? String(timestampMs) : time.toISOString()
}

/** One user's events are in one partition. */
const partitionsOf = (user: string | undefined, count: number) =>
  user === undefined ? undefined : [partitionOf(Buffer.from(user), count)]

async function print(
  terminal: Terminal,
  partition: number,
  record: KafkaRecord,
  codec: EventCodec<UserLifecycleEvent>,
  showValues: boolean,
): Promise<void> {
  const place = { partition, offset: record.offset, at: timeOf(record.timestampMs) }
  const key = record.key?.toString('utf8') ?? null
  const where = `${place.at}  ${partition}/${record.offset}`
  let event: UserLifecycleEvent
  try {
    if (record.unreadable !== undefined) throw record.unreadable
    if (record.value === null) throw new Error('the record has no value')
    event = await codec.decode(record.value)
  } catch (error) {
    const { code, message } = toErrorFacts(error)
    const undecodable = { code: code ?? null, message }
    return terminal.write(
      terminal.json
        ? `${JSON.stringify({ ...place, key, undecodable })}\n`
        : `${where}  ${terminal.paint.red('undecodable')}  key ${JSON.stringify(key)}: ${message}\n`,
    )
  }
  const shown = (showValues ? event : maskPersonalData(event, userLifecycle)) as UserLifecycleEvent
  if (terminal.json) return terminal.write(`${JSON.stringify({ ...place, key, event: shown })}\n`)
  const { type, userId, version, changed, actor, user } = shown
  const what = showValues ? `  ${JSON.stringify(user)}` : ''
  await terminal.write(
    `${where}  ${terminal.paint.bold(type.padEnd(15))} ${userId}@${version}  by ${actor.type}:${actor.id}  ${changed.join(',')}${what}\n`,
  )
}
