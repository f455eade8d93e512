import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { EndpointsMissingError, UsageInvalidError } from './command-errors.js'
import { findUpwards } from './find-upwards.js'

/** What listens where. An address nobody gave is undefined, and asking for it through `address` says so. */
export interface Endpoints {
  readonly registry?: string | undefined
  readonly relay?: string | undefined
  readonly directory?: string | undefined
  readonly kafka?: string | undefined
  readonly schemaRegistry?: string | undefined
}

export type EndpointName = keyof Endpoints

/** An address from a flag wins over one from the environment, which wins over the endpoints file. */
export interface EndpointSources {
  /** --endpoints; when absent the nearest `.rollcall/endpoints.json` upwards of `cwd` is taken. */
  readonly file?: string | undefined
  readonly flags: Endpoints
  readonly environment: Endpoints
  readonly cwd: string
}

/**
 * Resolves the addresses of the services.
 *
 * @throws UsageInvalidError when the named file is missing or is not an endpoints file
 */
export function resolveEndpoints({ file, flags, environment, cwd }: EndpointSources): Endpoints {
  const path = file === undefined ? findUpwards(cwd, join('.rollcall', 'endpoints.json')) : resolve(cwd, file)
  const given = path === undefined ? {} : read(path)
  return { ...given, ...defined(environment), ...defined(flags) }
}

/**
 * The address of one service.
 *
 * @throws EndpointsMissingError naming the three ways to give it
 */
export function address(endpoints: Endpoints, name: EndpointName): string {
  const found = endpoints[name]
  if (found !== undefined) return name === 'kafka' ? found : found.replace(/\/+$/, '')
  const { flag, variable } = ENDPOINT_NAMES[name]
  throw new EndpointsMissingError(
    `No address of the ${ENDPOINT_NAMES[name].spoken} is known. Start the stack with \`npm start\` (it writes .rollcall/endpoints.json), or give ${flag} or ${variable}.`,
    { endpoint: name },
  )
}

export const ENDPOINT_NAMES = {
  registry: { spoken: 'user registry', flag: '--registry <url>', variable: 'ROLLCALL_REGISTRY' },
  relay: { spoken: 'outbox relay', flag: '--relay <url>', variable: 'ROLLCALL_RELAY' },
  directory: { spoken: 'directory', flag: '--directory <url>', variable: 'ROLLCALL_DIRECTORY' },
  kafka: { spoken: 'Kafka brokers', flag: '--kafka <host:port,…>', variable: 'KAFKA_BROKERS' },
  schemaRegistry: { spoken: 'schema registry', flag: '--schema-registry <url>', variable: 'SCHEMA_REGISTRY_URL' },
} as const satisfies Record<EndpointName, { spoken: string; flag: string; variable: string }>

const endpointsFile = z.object({
  registry: z.url().optional(),
  relay: z.url().optional(),
  directory: z.url().optional(),
  kafka: z.string().optional(),
  schemaRegistry: z.url().optional(),
})

function read(path: string): Endpoints {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as { code?: string }
    throw new UsageInvalidError(
      `The endpoints file ${path} cannot be read (${code}). Is the stack running (\`npm start\`)?`,
    )
  }
  try {
    return endpointsFile.parse(JSON.parse(text))
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : (cause as Error).message
    throw new UsageInvalidError(`${path} is not an endpoints file: ${why}`)
  }
}

const defined = (endpoints: Endpoints): Endpoints =>
  Object.fromEntries(Object.entries(endpoints).filter(([, value]) => value !== undefined))
