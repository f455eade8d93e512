import { createPool, ensureDatabase, migrate, type Pool } from '@rollcall/database'
import { outboxMigrations } from '@rollcall/outbox'
import type { BenchStack } from '../bench-stack.js'
import { benchTools } from '../bench-tools.js'
import { startChild } from '../child.js'
import type { RelayCommands } from '../processes/relay.js'
import { debezium } from './debezium.js'
import { outboxForms, type PeerName, SUBJECT_TABLES, topicOf } from './outbox-form.js'
import type { RelayProcess } from './relay-process.js'

/** A relay under test: its database, its topic, and its process, which can be killed and started again. */
export interface Peer {
  readonly name: PeerName
  readonly topic: string
  readonly url: string
  readonly pool: Pool
  readonly process: RelayProcess
  close(): Promise<void>
}

/** Each peer has a database of its own on the same server: nobody decodes or vacuums what another one wrote. */
export async function openPeer(name: PeerName, stack: BenchStack): Promise<Peer> {
  const url = stack.databaseUrl(`peer_${name}`)
  await ensureDatabase(url)
  const pool = createPool({ url, max: 4, applicationName: 'bench' }, benchTools())
  if (name === 'rollcall') await migrate(pool, [outboxMigrations])
  for (const table of [...SUBJECT_TABLES, ...outboxForms[name].tables]) await pool.query(table)
  const process =
    name === 'debezium' ? await debezium({ stack, url, pool }) : nodeRelay(name === 'poller' ? 'poller' : 'relay')
  return {
    name,
    topic: topicOf(name),
    url,
    pool,
    process,
    async close() {
      await process.close()
      await pool.end()
    },
  }

  function nodeRelay(file: 'relay' | 'poller'): RelayProcess {
    let child: ReturnType<typeof startChild<RelayCommands>> | undefined
    const stop = async () => {
      await child?.call('stop')
      await child?.close()
      child = undefined
    }
    return {
      async start() {
        child = startChild<RelayCommands>(file)
        await child.call('start', { databaseUrl: url, kafka: stack.kafka })
      },
      get pid() {
        if (child === undefined) throw new Error(`${name} does not run`)
        return child.pid
      },
      async kill() {
        await child?.kill()
        child = undefined
      },
      stop,
      close: stop,
    }
  }
}
