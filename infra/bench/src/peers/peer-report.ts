import type { Result } from '../bench.js'
import { median, pairedRatio } from '../measure.js'
import type { Drain } from './drain.js'
import type { Hot } from './hot.js'
import type { Verdict } from './judge-topic.js'
import type { Kills } from './kills.js'
import type { PeerName, Phase } from './outbox-form.js'
import type { Latency } from './steady.js'

/** Everything measured of one peer. */
export interface PeerFigures {
  readonly drains: readonly Drain[]
  readonly held: Drain
  readonly latency: { readonly free: Latency; readonly held: Latency }
  readonly hot: Hot
  readonly kills: Kills
  readonly verdicts: Readonly<Record<Phase, Verdict>>
}

type All = Readonly<Record<PeerName, PeerFigures>>

/** The peers beside each other, figure by figure. */
export function peerTable(all: All): readonly string[] {
  const peers = [all.rollcall, all.debezium, all.poller]
  const rows = ROWS.map(([title, of]) => [title, ...peers.map((peer) => of(peer))])
  const table = [['', 'Rollcall', 'Debezium', 'poller'], ...rows]
  return table.map(([title, ...cells]) => [title?.padEnd(44), ...cells.map((cell) => cell.padStart(12))].join('  '))
}

const middle = (drains: readonly Drain[], of: (one: Drain) => number) => median(drains.map(of))
const whole = (value: number) => Math.round(value).toLocaleString('en')
const tenth = (value: number) => value.toFixed(1)

const ROWS: readonly (readonly [string, (peer: PeerFigures) => string])[] = [
  ['drain, rows/s', ({ drains }) => whole(middle(drains, (one) => one.rowsPerSecond))],
  ['drain, held transaction, rows/s', ({ held }) => whole(held.rowsPerSecond)],
  ['drain, relay CPU s per million rows', ({ drains }) => tenth(middle(drains, (one) => one.cpuSecondsPerMillion))],
  ['start to first record, ms', ({ drains }) => whole(middle(drains, (one) => one.startMs))],
  ['start to first record, CPU s', ({ drains }) => tenth(middle(drains, (one) => one.startCpuSeconds))],
  ['peak RSS, MB', ({ drains }) => whole(middle(drains, (one) => one.peakRssMb))],
  ['1,000/s: reached', ({ latency }) => whole(latency.free.perSecond)],
  ['1,000/s: p50 / p99 ms', ({ latency }) => `${tenth(latency.free.p50)} / ${tenth(latency.free.p99)}`],
  ['  held transaction', ({ latency }) => `${tenth(latency.held.p50)} / ${tenth(latency.held.p99)}`],
  ['1,000/s: relay CPU s/s, alone / held', cpuOf((latency) => latency.relayCpu)],
  ['1,000/s: Postgres CPU s/s, alone / held', cpuOf((latency) => latency.postgresCpu)],
  ['20 hot keys: commits/s', ({ hot }) => whole(hot.committedPerSecond)],
  ['20 hot keys: ms behind at the end', ({ hot }) => whole(hot.behindMs)],
  ['20 hot keys: lost / inverted', ({ verdicts: { hot } }) => `${hot.lost} / ${hot.inverted}`],
  ['20 kills: messages', ({ verdicts }) => whole(verdicts.kills.committed)],
  ['20 kills: lost / inverted', ({ verdicts: { kills } }) => `${kills.lost} / ${kills.inverted}`],
  ['20 kills: duplicates', ({ verdicts }) => whole(verdicts.kills.duplicates)],
  ['20 kills: old after new', ({ verdicts }) => whole(verdicts.kills.oldAfterNew)],
  ['20 kills: start to first new record, ms', ({ kills }) => whole(kills.restartMs)],
  [
    'drain and 1,000/s: lost / duplicates',
    ({ verdicts }) => `${calm(verdicts, 'lost')} / ${calm(verdicts, 'duplicates')}`,
  ],
]

function cpuOf(of: (latency: Latency) => number) {
  return ({ latency }: PeerFigures) => `${of(latency.free).toFixed(2)} / ${of(latency.held).toFixed(2)}`
}

const calm = ({ drain, steady }: PeerFigures['verdicts'], what: 'lost' | 'duplicates') => drain[what] + steady[what]

const DRAIN_ASK = 5
const CPU_ASK = 1 / 5

/** What was asked of Rollcall, against each. */
export function peerResults(all: All): readonly Result[] {
  const { rollcall, debezium, poller } = all
  const rates = (peer: PeerFigures) => peer.drains.map((one) => one.rowsPerSecond)
  const cpu = (peer: PeerFigures) => peer.drains.map((one) => one.cpuSecondsPerMillion)
  const rss = (peer: PeerFigures) => peer.drains.map((one) => one.peakRssMb)
  const drained = pairedRatio(rates(rollcall), rates(debezium))
  const spent = pairedRatio(cpu(rollcall), cpu(debezium))
  const against = (name: string, value: number, ceiling: number, unit: string, ratio = value / ceiling): Result => ({
    bench: `peers ${name}`,
    value,
    ceiling,
    ratio,
    unit,
    against: name.endsWith('poller') ? 'SKIP LOCKED poller' : 'Debezium',
  })
  const below = (result: Result): Result => ({
    ...result,
    ask: { text: '< 1', holds: (result.ratio ?? Number.NaN) < 1 },
  })
  return [
    {
      ...against('drain', median(rates(rollcall)), median(rates(debezium)), 'rows/s', drained),
      ask: { text: `>= ${DRAIN_ASK}`, holds: drained >= DRAIN_ASK },
    },
    against('drain.poller', median(rates(rollcall)), median(rates(poller)), 'rows/s'),
    {
      ...against('cpu', median(cpu(rollcall)), median(cpu(debezium)), 's per million', spent),
      ask: { text: `<= ${CPU_ASK}`, holds: spent <= CPU_ASK },
    },
    against('cpu.poller', median(cpu(rollcall)), median(cpu(poller)), 's per million'),
    against('memory', median(rss(rollcall)), median(rss(debezium)), 'MB'),
    below(against('p99', rollcall.latency.free.p99, debezium.latency.free.p99, 'ms')),
    below(against('p99.poller', rollcall.latency.free.p99, poller.latency.free.p99, 'ms')),
    below(against('p99 held', rollcall.latency.held.p99, debezium.latency.held.p99, 'ms')),
    below(against('p99 held.poller', rollcall.latency.held.p99, poller.latency.held.p99, 'ms')),
    ...(['lost', 'inverted', 'oldAfterNew'] as const).map((what): Result => {
      const value = sum(rollcall.verdicts, what)
      const rivals = `${sum(debezium.verdicts, what)} of Debezium, ${sum(poller.verdicts, what)} of the poller`
      const text = what === 'oldAfterNew' ? 'old after new' : what
      return { bench: `peers ${text}`, value, unit: 'records', against: rivals, ask: { text: '0', holds: value === 0 } }
    }),
  ]
}

const sum = (verdicts: PeerFigures['verdicts'], what: 'lost' | 'inverted' | 'oldAfterNew') =>
  Object.values(verdicts).reduce((total, one) => total + one[what], 0)
