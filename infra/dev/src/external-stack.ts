import { createConnection } from 'node:net'
import { answersSql } from './answers-sql.js'
import { databaseUrl } from './endpoints.js'
import type { Stack } from './stack.js'
import { StackUnreachableError } from './stack-errors.js'

export interface ExternalAddresses {
  /** Address of a database of a role that may create databases. */
  readonly postgres: string
  readonly kafka: string
  readonly schemaRegistry: string
}

/** A stack that somebody else runs. Nothing there is changed but what the services themselves create. @throws StackUnreachableError */
export async function connectExternalStack(
  addresses: ExternalAddresses,
  { onReady }: { readonly onReady?: (part: { readonly name: string; readonly tookMs: number }) => void } = {},
): Promise<Stack> {
  const check = async (name: string, variable: string, answers: Promise<boolean>) => {
    const startedAt = Date.now()
    if (!(await answers)) {
      throw new StackUnreachableError(
        `${name} does not answer at the address in ${variable}: check the address, or start it.`,
      )
    }
    onReady?.({ name, tookMs: Date.now() - startedAt })
  }
  await Promise.all([
    check('postgres', 'ROLLCALL_POSTGRES_URL', answersSql(addresses.postgres)),
    check('kafka', 'KAFKA_BROKERS', acceptsAny(addresses.kafka)),
    check('schema-registry', 'SCHEMA_REGISTRY_URL', answersHttp(`${addresses.schemaRegistry}/subjects`)),
  ])
  return {
    processes: [],
    endpoints: () => ({
      provider: 'external',
      ...addresses,
      databases: {
        userRegistry: databaseUrl(addresses.postgres, 'user_registry'),
        directory: databaseUrl(addresses.postgres, 'directory'),
      },
      processes: [],
    }),
    stop: async () => {},
  }
}

async function acceptsAny(brokers: string): Promise<boolean> {
  const accepted = await Promise.all(brokers.split(',').map((address) => accepts(address.trim())))
  return accepted.includes(true)
}

function accepts(address: string): Promise<boolean> {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(address) ?? []
  if (host === undefined || port === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: Number(port) })
    const answer = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.setTimeout(5_000, () => answer(false))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
}

async function answersHttp(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}
