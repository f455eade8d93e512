import { userCreated } from '@rollcall/events/testing'
import type { Bench } from '../bench.js'
import { benchKafka, holdTransaction, makeTopic, readyCodec } from '../bench-tools.js'
import { startChild } from '../child.js'
import { drain } from '../peers/drain.js'
import { type Ground, groundOf } from '../peers/ground.js'
import { hot } from '../peers/hot.js'
import { judgeTopic } from '../peers/judge-topic.js'
import { kills } from '../peers/kills.js'
import type { PeerName } from '../peers/outbox-form.js'
import { openPeer, type Peer } from '../peers/peer.js'
import { type PeerFigures, peerResults, peerTable } from '../peers/peer-report.js'
import { steady } from '../peers/steady.js'
import type { PeerWriterCommands } from '../processes/peer-writer.js'

const NAMES = ['rollcall', 'debezium', 'poller'] as const
const ROWS = 300_000
const MOST_ROUNDS = 3
const KILLS = 20
const KILL_BACK_LOG = 16_000

export const peers: Bench = {
  name: 'peers',
  about: 'the relay against Debezium and a hand-written SKIP LOCKED poller: drain, latency, hot keys, kills',
  async run(context) {
    const { stack, scale, log } = context
    const rounds = Math.min(context.rounds, MOST_ROUNDS)
    const kafka = benchKafka(stack.kafka)
    const codec = await readyCodec(stack.schemaRegistry)
    const value = codec.encode(userCreated({ seed: 1 }))
    const opened: Peer[] = []
    try {
      const grounds = {} as Record<PeerName, Ground>
      const figures = Object.fromEntries(NAMES.map((name) => [name, { drains: [] }])) as unknown as Unfinished
      for (const name of NAMES) {
        const peer = await openPeer(name, stack)
        opened.push(peer)
        await makeTopic(kafka, peer.topic)
        grounds[name] = groundOf(peer, kafka, value)
      }
      const rows = Math.round(ROWS * scale)
      for (let round = 0; round < rounds; round++) {
        for (const name of turned(round)) {
          const one = await drain(grounds[name], rows)
          figures[name].drains.push(one)
          log(`drain of ${rows}, ${name}: ${one.rowsPerSecond.toFixed(0)} rows/s`)
        }
      }
      for (const name of NAMES) {
        const ground = grounds[name]
        const { url } = ground.peer
        figures[name].held = await drain(ground, rows, () => holdTransaction(url))
        log(`the same held, ${name}: ${figures[name].held.rowsPerSecond.toFixed(0)} rows/s`)
      }
      for (const name of NAMES) await live(name, grounds[name], figures)
      for (const name of NAMES) {
        figures[name].kills = await kills(grounds[name], KILLS, Math.round(KILL_BACK_LOG * Math.max(scale, 0.25)))
        log(`${KILLS} kills, ${name}: ${figures[name].kills.restartMs.toFixed(0)} ms to work again`)
      }
      for (const name of NAMES) {
        figures[name].verdicts = await judgeTopic(kafka, grounds[name].peer.topic, grounds[name].committed)
      }
      for (const line of peerTable(figures)) log(line)
      return peerResults(figures)
    } finally {
      for (const peer of opened) await peer.close()
      await kafka.close()
    }

    async function live(name: PeerName, ground: Ground, figures: Unfinished): Promise<void> {
      const writer = startChild<PeerWriterCommands>('peer-writer')
      try {
        await writer.call('open', { name, url: ground.peer.url, value })
        figures[name].latency = await steady({
          ground,
          kafka,
          writer,
          postgresPid: stack.pidOf('postgres'),
          rounds,
          warmUpSeconds: 10 * scale,
          seconds: 6 * scale,
        })
        const { free, held } = figures[name].latency
        log(`latency p99 ms, ${name}: ${free.p99.toFixed(1)}, held ${held.p99.toFixed(1)}`)
        figures[name].hot = await hot(ground, writer, { users: 20, writers: 24, seconds: 6 * scale })
        log(`hot keys, ${name}: ${figures[name].hot.committedPerSecond.toFixed(0)} commits/s`)
      } finally {
        await writer.call('close')
        await writer.close()
      }
    }
  },
}

type Unfinished = Record<PeerName, { -readonly [Key in keyof PeerFigures]: PeerFigures[Key] } & { drains: Drains }>
type Drains = PeerFigures['drains'][number][]

const turned = (round: number) => NAMES.map((_, turn) => NAMES[(turn + round) % NAMES.length] as PeerName)
