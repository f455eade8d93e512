import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '@rollcall/observability'
import type { DeadLetters } from '@rollcall/projections'
import { type RunningCounter, runCounter } from './run-counter.js'

// A consumer like any service's: it can be killed at any moment, and it waits for what is down when it starts.
const logger = createLogger({ service: 'effect-counter' })
const { PORT, DATABASE_URL, KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REGISTRY_URL, GROUP_ID } = process.env
if (!PORT || !DATABASE_URL || !KAFKA_BROKERS || !SCHEMA_REGISTRY_URL) {
  console.error('PORT, DATABASE_URL, KAFKA_BROKERS and SCHEMA_REGISTRY_URL must be set')
  process.exit(2)
}

let counter: RunningCounter | undefined
createServer((request, response) => {
  const answer = (status: number) => response.writeHead(status).end()
  if (request.url === '/health/live') answer(200)
  else if (!counter) answer(503)
  else if (request.method === 'POST')
    (request.url === '/rebuild' ? counter.rebuild() : release(counter.deadLetters, request.url === '/release')).then(
      () => answer(200),
      () => answer(500),
    )
  else
    counter.checkProgress().then(
      () => answer(200),
      () => answer(503),
    )
}).listen(Number(PORT), '127.0.0.1')

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void (counter?.close() ?? Promise.resolve()).finally(() => process.exit(0))
  })
}

while (!counter) {
  try {
    counter = await runCounter({
      databaseUrl: DATABASE_URL,
      kafka: KAFKA_BROKERS,
      schemaRegistry: SCHEMA_REGISTRY_URL,
      registry: REGISTRY_URL,
      groupId: GROUP_ID,
      logger,
    })
    logger.info({}, 'effect counter runs')
  } catch (error) {
    logger.warn({ error }, 'effect counter cannot start yet')
    await sleep(500)
  }
}

/** What an operator does: retries every parked user; with `discards`, passes over what still cannot be read. */
async function release(letters: DeadLetters, discards: boolean): Promise<void> {
  const { users } = await letters.list(1000)
  for (const { userId } of users) {
    const { failure } = await letters.retry(userId, 'drill')
    if (!discards || failure?.code !== 'ERR_PROJECTION_EVENT_UNREADABLE') continue
    await letters.discard(userId, { reason: 'injected by the drill', actor: 'drill' })
    await letters.retry(userId, 'drill').catch(() => {})
  }
}
