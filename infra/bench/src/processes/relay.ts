import { createRelay, type Relay } from '@rollcall/outbox'
import { benchKafka, benchTools } from '../bench-tools.js'
import { answer } from '../child.js'

/** The relay in a process of its own, as in production. */
export type RelayCommands = {
  start(where: { readonly databaseUrl: string; readonly kafka: string }): Promise<void>
  stop(): Promise<void>
}

let running: { readonly relay: Relay; close(): Promise<void> } | undefined

answer({
  async start({ databaseUrl, kafka }) {
    const client = benchKafka(kafka)
    const relay = createRelay({ databaseUrl, kafka: client, ...benchTools() })
    relay.start()
    running = { relay, close: () => client.close() }
  },
  async stop() {
    await running?.relay.stop()
    await running?.close()
    running = undefined
  },
} satisfies RelayCommands)
