import type { Metrics } from '@rollcall/observability'
import type { OutboxStatus } from '../relay-status.js'
import type { Vacancy } from './relay-state.js'

/** What the relay tells Prometheus; names and meanings stand in the README. */
export interface RelayMetrics {
  readonly shipped: (messages: number) => void
  readonly tick: (seconds: number) => void
  readonly send: (seconds: number) => void
  readonly retry: (stage: 'kafka' | 'postgres') => void
  readonly led: (epoch: number, active: boolean) => void
  readonly tookOver: (vacancy: Vacancy) => void
  /** Messages of an earlier attempt that were found in the topic and not sent again. */
  readonly alreadyThere: (messages: number) => void
  readonly repeated: (topic: string) => void
  /** Messages sent once more because somebody asked. */
  readonly republished: (messages: number) => void
  readonly topicLost: (topic: string) => void
  readonly stopped: (code: string) => void
  readonly lag: (status: OutboxStatus) => void
}

export function createRelayMetrics(metrics: Metrics): RelayMetrics {
  const shipped = metrics.counter({
    name: 'rollcall_outbox_shipped_total',
    help: 'Messages acknowledged by Kafka.',
  })
  const tick = metrics.histogram({
    name: 'rollcall_outbox_tick_seconds',
    help: 'Time of one look at the outbox.',
    buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2],
  })
  const send = metrics.histogram({
    name: 'rollcall_outbox_publish_seconds',
    help: 'Time from the first send of a page to its last acknowledgement.',
  })
  const retries = metrics.counter({
    name: 'rollcall_outbox_retries_total',
    help: 'Failures after which the relay paused and tried again.',
    labelNames: ['stage'],
  })
  const takeovers = metrics.counter({
    name: 'rollcall_outbox_takeovers_total',
    help: 'Times this relay took the lead, by why it was free: vacant, own, gone (session ended) or silent (lease ran out).',
    labelNames: ['vacancy'],
  })
  const alreadyThere = metrics.counter({
    name: 'rollcall_outbox_already_there_total',
    help: 'Messages an earlier attempt had brought to the topic without anybody knowing; they were not sent again.',
  })
  const repeats = metrics.counter({
    name: 'rollcall_outbox_repeats_total',
    help: 'Sends that repeated records because a former relay was still sending when it was shut out.',
    labelNames: ['topic'],
  })
  const republished = metrics.counter({
    name: 'rollcall_outbox_republished_total',
    help: 'Messages sent once more because somebody asked for it.',
  })
  const topicLost = metrics.counter({
    name: 'rollcall_outbox_topic_lost_total',
    help: 'Times a topic was found to end before what Kafka had acknowledged.',
    labelNames: ['topic'],
  })
  const epoch = metrics.gauge({ name: 'rollcall_outbox_epoch', help: 'Epoch of the last term this relay led.' })
  const active = metrics.gauge({ name: 'rollcall_outbox_active', help: '1 while this relay leads, 0 on standby.' })
  const stopped = metrics.gauge({
    name: 'rollcall_outbox_stopped',
    help: '1 when the relay stopped for good, by the code of its error.',
    labelNames: ['code'],
  })
  const waiting = metrics.gauge({
    name: 'rollcall_outbox_waiting_messages',
    help: 'Committed messages not yet acknowledged by Kafka.',
  })
  const oldest = metrics.gauge({
    name: 'rollcall_outbox_oldest_waiting_seconds',
    help: 'Age of the oldest committed message not yet acknowledged.',
  })
  const writer = metrics.gauge({
    name: 'rollcall_outbox_oldest_writer_seconds',
    help: 'Age of the longest open writing transaction of the database, 0 when there is none.',
  })
  const writerPid = metrics.gauge({
    name: 'rollcall_outbox_oldest_writer_pid',
    help: 'Backend process id of that transaction, 0 when there is none.',
  })
  const held = metrics.gauge({
    name: 'rollcall_outbox_held_back_seconds',
    help: 'Age of the oldest holder of more than a minute, by what it holds back: vacuum, retention, own messages or disk.',
    labelNames: ['what'],
  })
  active.set(0)
  return {
    shipped: (messages) => shipped.inc(messages),
    tick: (seconds) => tick.observe(seconds),
    send: (seconds) => send.observe(seconds),
    retry: (stage) => retries.inc({ stage }),
    tookOver: (vacancy) => takeovers.inc({ vacancy }),
    alreadyThere: (messages) => alreadyThere.inc(messages),
    repeated: (topic) => repeats.inc({ topic }),
    republished: (messages) => republished.inc(messages),
    topicLost: (topic) => topicLost.inc({ topic }),
    led(of, isActive) {
      epoch.set(of)
      active.set(isActive ? 1 : 0)
      // The leader alone measures lag; what this process measured last must not stay on display beside it.
      if (!isActive) for (const gauge of [waiting, oldest, writer, writerPid]) gauge.set(0)
    },
    stopped: (code) => stopped.set({ code }, 1),
    lag(status) {
      waiting.set(status.waiting)
      oldest.set(status.oldestWaitingMs / 1_000)
      writer.set((status.oldestWriter?.ageMs ?? 0) / 1_000)
      writerPid.set(status.oldestWriter?.pid ?? 0)
      for (const what of ['vacuum', 'retention', 'own messages', 'disk'] as const) {
        const ages = status.holders.filter(({ holdsBack }) => holdsBack.includes(what)).map(({ ageMs }) => ageMs ?? 0)
        held.set({ what }, Math.max(0, ...ages) / 1_000)
      }
    },
  }
}
