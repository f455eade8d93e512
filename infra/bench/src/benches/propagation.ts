import { directoryMigrations } from '@rollcall/directory'
import { SUBSCRIBERS_TOPIC } from '@rollcall/events'
import type { Bench } from '../bench.js'
import type { BenchStack } from '../bench-stack.js'
import { benchKafka, openBenchDatabase, until } from '../bench-tools.js'
import { type Child, startChild } from '../child.js'
import { type HttpConnection, openHttpConnection } from '../http-connection.js'
import { openLatency } from '../latency-of-changes.js'
import { median, quantile } from '../measure.js'
import { openPipeline } from '../pipeline.js'
import { usageOf } from '../process-usage.js'
import type { HttpServerCommands } from '../processes/http-server.js'
import type { SubscriberCommands } from '../processes/subscriber.js'
import { patchOf } from '../registry-users.js'

const SUBSCRIBERS = 3
const PER_SECOND = 500
/** Many more than are needed at a time: a write that takes long must not put off the next. */
const CONNECTIONS = 128
const ASK = 3

export const propagation: Bench = {
  name: 'propagation',
  about:
    'a change to "applied everywhere" answered (?wait=all): 3 directories, 500 changes/s; against the bench latency',
  async run({ stack, rounds, scale, log }) {
    const ceiling = await latencyP99(stack, { rounds, scale, log })
    const ground = await openGround(stack)
    try {
      const once = (seconds: number) => offer(ground, PER_SECOND * seconds)
      await once(15 * scale)
      const before = cpuOf(ground)
      const all: Awaited<ReturnType<typeof once>>[] = []
      for (let round = 0; round < rounds; round++) {
        const one = await once(8 * scale)
        all.push(one)
        log(`p50/p99 ms ${one.p50.toFixed(1)}/${one.p99.toFixed(1)}, ${one.late} of ${one.count} not applied in time`)
      }
      const changes = all.reduce((sum, { count }) => sum + count, 0)
      const spent = Object.entries(cpuOf(ground)).map(([who, seconds]) => {
        return `${who} ${((1_000 * (seconds - (before[who] ?? 0))) / changes).toFixed(2)}`
      })
      log(`processor ms for a change: ${spent.join(', ')}`)
      const p50 = median(all.map((one) => one.p50))
      const p99 = median(all.map((one) => one.p99))
      const late = all.reduce((sum, one) => sum + one.late, 0)
      const rate = median(all.map((one) => one.perSecond))
      const ratio = p99 / ceiling
      return [
        { bench: 'propagation p50', value: p50, unit: 'ms', against: `absolute, at ${Math.round(rate)} changes/s` },
        {
          bench: 'propagation p99',
          value: p99,
          ceiling,
          ratio,
          unit: 'ms',
          against: 'latency p99: commit to handler, 1,000 changes/s, one projection',
          ask: { text: `<= ${ASK}`, holds: ratio <= ASK },
        },
        {
          bench: 'propagation late',
          value: late,
          unit: 'changes',
          against: 'not applied everywhere within 5 s',
          ask: { text: '0', holds: late === 0 },
        },
      ]
    } finally {
      await ground.close()
    }
  },
}

async function latencyP99(
  stack: BenchStack,
  { rounds, scale, log }: { rounds: number; scale: number; log: (line: string) => void },
): Promise<number> {
  const latency = await openLatency(stack)
  try {
    await latency.once(15 * scale)
    const p99s: number[] = []
    for (let round = 0; round < Math.min(rounds, 3); round++) p99s.push((await latency.once(8 * scale)).p99)
    log(`latency p99 ms ${p99s.map((one) => one.toFixed(1)).join(', ')}`)
    return median(p99s)
  } finally {
    await latency.close()
  }
}

interface Ground {
  readonly connections: readonly HttpConnection[]
  readonly userIds: readonly string[]
  /** Whose processor time is told. */
  readonly pids: Readonly<Record<string, readonly number[]>>
  close(): Promise<void>
}

/** On the users that the latency left: relay, registry and three directories, each in a process of its own. */
async function openGround(stack: BenchStack): Promise<Ground> {
  const { kafka, schemaRegistry } = stack
  const admin = benchKafka(kafka)
  await admin.applyTopics([
    { name: SUBSCRIBERS_TOPIC, partitions: 1, replicationFactor: 1, config: { 'cleanup.policy': 'compact' } },
  ])
  await admin.close()
  const pipeline = await openPipeline(stack, { connections: 1 })
  const subscribers: Child<SubscriberCommands>[] = []
  for (let index = 1; index <= SUBSCRIBERS; index++) {
    const { url, pool } = await openBenchDatabase(stack, `bench_directory_${index}`, directoryMigrations, 1)
    await pool.end()
    const child = startChild<SubscriberCommands>('subscriber')
    subscribers.push(child)
    await child.call('start', { service: `directory-${index}`, databaseUrl: url, kafka, schemaRegistry })
  }
  const registry = startChild<HttpServerCommands>('http-server')
  const databaseUrl = pipeline.registryUrl
  const port = await registry.call('listen', { kind: 'registry', databaseUrl, schemaRegistry, connections: 16, kafka })
  const userIds = await pipeline.userIds()
  await until('all directories to have applied everything', () => isAppliedBy(SUBSCRIBERS, port, userIds), {
    everyMs: 250,
  })
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openHttpConnection(port)))
  return {
    connections,
    userIds,
    pids: {
      registry: [registry.pid],
      relay: [pipeline.relayPid],
      directories: subscribers.map(({ pid }) => pid),
      postgres: [stack.pidOf('postgres')],
      kafka: [stack.pidOf('kafka')],
    },
    async close() {
      for (const connection of connections) connection.close()
      await registry.call('close')
      await Promise.all([registry.close(), ...subscribers.map((one) => one.call('close').then(() => one.close()))])
      await pipeline.close()
    },
  }
}

/** The last user was changed last, or nearly so. */
async function isAppliedBy(count: number, port: number, userIds: readonly string[]): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/users/${userIds.at(-1)}/propagation`)
  const { subscribers = [] } = (await response.json()) as { subscribers?: { status: string }[] }
  return subscribers.filter(({ status }) => status === 'applied').length === count
}

function cpuOf({ pids }: Ground): Record<string, number> {
  const { user, system } = process.cpuUsage()
  const others = Object.entries(pids).map(([who, ids]) => {
    return [who, ids.reduce((sum, id) => sum + usageOf(id).cpuSeconds, 0)] as const
  })
  return { ...Object.fromEntries(others), 'load generator': (user + system) / 1e6 }
}

let turn = 0

/** An open loop: a change counts from the moment it was due, whether or not a connection was free then. */
async function offer({ connections, userIds }: Ground, count: number) {
  const delaysMs: number[] = []
  let late = 0
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        const index = next++
        const dueAt = startedAt + (index * 1_000) / PER_SECOND
        const waitMs = dueAt - performance.now()
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
        const user = userIds[turn % userIds.length] as string
        const body = JSON.stringify(patchOf(++turn))
        const { status, head } = await connection.send('PATCH', `/v1/users/${user}?wait=all&timeoutMs=5000`, body)
        if (status !== 200) throw new Error(`PATCH /v1/users answered ${status}`)
        if (!/\r\nrollcall-propagation: applied(\r|$)/i.test(head)) late++
        delaysMs.push(performance.now() - dueAt)
      }
    }),
  )
  const perSecond = count / ((performance.now() - startedAt) / 1_000)
  const steady = delaysMs.slice(Math.floor(delaysMs.length / 10))
  return { p50: quantile(steady, 0.5), p99: quantile(steady, 0.99), late, count, perSecond }
}
