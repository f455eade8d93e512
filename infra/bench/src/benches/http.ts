import { userCreated } from '@rollcall/events/testing'
import { registryMigrations } from '@rollcall/user-registry'
import type { Bench, BenchContext } from '../bench.js'
import { openBenchDatabase } from '../bench-tools.js'
import { startChild } from '../child.js'
import { type HttpConnection, openHttpConnection } from '../http-connection.js'
import { median, pairedRatio, quantile } from '../measure.js'
import type { HttpServerCommands, HttpServerOptions } from '../processes/http-server.js'

const CONNECTIONS = 16

export const http: Bench = {
  name: 'http',
  about: 'POST /v1/users of the whole registry against bare fastify and one insert, 16 connections',
  async run({ stack, rounds, scale, log }) {
    const ours = await openServer(stack, 'registry')
    const bare = await openServer(stack, 'bare')
    const count = Math.round(10_000 * scale)
    const rates = { registry: [] as number[], bare: [] as number[] }
    const p99s = { registry: [] as number[], bare: [] as number[] }
    try {
      // A server's first requests are interpreted, not compiled.
      for (const server of [ours, bare]) await server.load(bodies(2_000))
      for (let round = 0; round < rounds; round++) {
        for (const server of round % 2 === 0 ? [ours, bare] : [bare, ours]) {
          const { perSecond, latenciesMs } = await server.load(bodies(count))
          rates[server.kind].push(perSecond)
          p99s[server.kind].push(quantile(latenciesMs, 0.99))
        }
        log(`${rates.registry.at(-1)?.toFixed(0)} against ${rates.bare.at(-1)?.toFixed(0)} requests/s`)
      }
    } finally {
      await Promise.all([ours.close(), bare.close()])
    }
    const ratio = pairedRatio(rates.registry, rates.bare)
    const p99Ratio = pairedRatio(p99s.registry, p99s.bare)
    const against = 'bare fastify and one insert of the row'
    return [
      {
        bench: 'http',
        value: median(rates.registry),
        ceiling: median(rates.bare),
        ratio,
        unit: 'requests/s',
        against,
        ask: { text: '>= 0.45', holds: ratio >= 0.45 },
      },
      {
        bench: 'http p99',
        value: median(p99s.registry),
        ceiling: median(p99s.bare),
        ratio: p99Ratio,
        unit: 'ms',
        against,
        ask: { text: '<= 3', holds: p99Ratio <= 3 },
      },
    ]
  },
}

async function openServer(stack: BenchContext['stack'], kind: HttpServerOptions['kind']) {
  const { url, pool } = await openBenchDatabase(stack, `bench_http_${kind}`, registryMigrations, 1)
  await pool.end()
  const child = startChild<HttpServerCommands>('http-server')
  const { schemaRegistry } = stack
  const port = await child.call('listen', { kind, databaseUrl: url, schemaRegistry, connections: CONNECTIONS })
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openHttpConnection(port)))
  return {
    kind,
    load: (requests: readonly string[]) => post(connections, requests),
    async close() {
      for (const connection of connections) connection.close()
      await child.call('close')
      await child.close()
    },
  }
}

async function post(connections: readonly HttpConnection[], requests: readonly string[]) {
  const latenciesMs: number[] = []
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    connections.map(async (connection) => {
      while (next < requests.length) {
        const before = performance.now()
        const { status } = await connection.send('POST', '/v1/users', requests[next++] as string)
        if (status !== 201) throw new Error(`POST /v1/users answered ${status}`)
        latenciesMs.push(performance.now() - before)
      }
    }),
  )
  return { perSecond: requests.length / ((performance.now() - startedAt) / 1_000), latenciesMs }
}

let seed = 1

/** No two users alike; made before the clock starts. */
function bodies(count: number): string[] {
  return Array.from({ length: count }, () => {
    const { user } = userCreated({ seed: seed++ })
    const { userName, emails, locale, timezone, attributes } = user
    const name = { given: user.name?.given ?? 'Ada', family: user.name?.family ?? 'Tamm' }
    return JSON.stringify({
      userName,
      emails,
      name,
      phone: user.phone ?? '+442079460000',
      locale,
      timezone,
      attributes,
    })
  })
}
