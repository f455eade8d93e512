import { setTimeout as delay } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { createCodec, type EventCodec, type UserLifecycleEvent, userLifecycle } from '@rollcall/events'
import type { KafkaClient, KafkaRecord } from '@rollcall/kafka'
import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { address } from '../endpoints.js'
import { withKafka } from '../kafka-of.js'
import { maskPersonalData } from '../mask-personal-data.js'
import { uuid, wholeNumber } from '../option-values.js'
import type { Terminal } from '../terminal.js'

/** `rollcall topics tail` */
export const topicsTailCommand = (act: Act): Command =>
  new Command('tail')
    .summary('print decoded events')
    .description(
      `Prints the events of ${userLifecycle.name}, decoded, one a line. Joins no consumer group and moves nobody's position. Personal data is masked unless asked for. A record that cannot be decoded is shown as such.`,
    )
    .option('--from <where>', 'beginning, latest, or an offset (of every partition)', 'beginning')
    .option('--user <id>', 'only the events of one user', uuid)
    .option('--limit <n>', 'stop after so many', wholeNumber(1, 1_000_000_000))
    .option('--follow', 'wait for more until Ctrl-C')
    .option('--show-values', 'show personal data')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 Kafka or the schema registry is not there, 2 wrong usage.

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

async function tailTopic(context: CommandContext, options: TailOptions): Promise<Outcome> {
  const codec = createCodec(userLifecycle, { schemaRegistryUrl: address(context.endpoints, 'schemaRegistry') })
  return withKafka(context, async (kafka): Promise<Outcome> => {
    let positions = await startOf(kafka, options.from)
    const ended = new AbortController()
    const signal = AbortSignal.any([context.signal, ended.signal])
    let printed = 0
    do {
      const result = await kafka
        .readTopic({
          topic: userLifecycle.name,
          from: positions,
          signal,
          async onBatch({ partition, records }) {
            for (const record of records) {
              if (ended.signal.aborted) return
              if (options.user !== undefined && record.key?.toString('latin1') !== options.user) continue
              await print(context.terminal, partition, record, codec, options.showValues === true)
              if (++printed === options.limit) ended.abort()
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

async function startOf(kafka: KafkaClient, from: string): Promise<ReadonlyMap<number, number>> {
  const offsets = await kafka.offsets(userLifecycle.name)
  if (from === 'beginning') return new Map(offsets.map(({ partition, low }) => [partition, low]))
  if (from === 'latest') return new Map(offsets.map(({ partition, high }) => [partition, high]))
  if (!/^\d+$/.test(from)) throw new UsageInvalidError(`--from ${from}: expected beginning, latest or an offset.`)
  return new Map(offsets.map(({ partition, low, high }) => [partition, Math.min(Math.max(Number(from), low), high)]))
}

async function print(
  terminal: Terminal,
  partition: number,
  record: KafkaRecord,
  codec: EventCodec<UserLifecycleEvent>,
  showValues: boolean,
): Promise<void> {
  const place = { partition, offset: record.offset, at: new Date(record.timestampMs).toISOString() }
  const key = record.key?.toString('utf8') ?? null
  let decoded: UserLifecycleEvent
  try {
    if (record.value === null) throw new Error('the record has no value')
    decoded = await codec.decode(record.value)
  } catch (error) {
    const { code, message } = toErrorFacts(error)
    const line = { ...place, key, undecodable: { code: code ?? null, message } }
    return terminal.write(
      terminal.json
        ? `${JSON.stringify(line)}\n`
        : `${place.at}  ${partition}/${record.offset}  undecodable: ${message}\n`,
    )
  }
  const event = showValues ? decoded : maskPersonalData(decoded)
  if (terminal.json) return terminal.write(`${JSON.stringify({ ...place, key, event })}\n`)
  const { type, userId, version, changed, actor, user } = event
  await terminal.write(
    `${place.at}  ${partition}/${record.offset}  ${type.padEnd(15)} ${userId}@${version}  by ${actor.type}:${actor.id}  ${changed.join(',')}  ${user.userName}\n`,
  )
}
