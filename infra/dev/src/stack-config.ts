import { loadConfig, port } from '@rollcall/config'
import { z } from 'zod'

/** Where the stack comes from and where it listens, from the environment; infra/dev/README.md lists the variables. */
export interface StackConfig {
  readonly provider: 'embedded' | 'containers' | 'external'
  /** Port 0 means a free one. */
  readonly ports: {
    readonly registry: number
    readonly relay: number
    readonly directory: number
    readonly postgres: number
    readonly kafka: number
    readonly kafkaController: number
    readonly schemaRegistry: number
  }
  /** Addresses of a stack that runs already; given for the provider `external` only. */
  readonly external?: { readonly postgres: string; readonly kafka: string; readonly schemaRegistry: string }
}

/** @throws ConfigInvalidError naming every variable that is wrong or missing. */
export function loadStackConfig(env: Readonly<Record<string, string | undefined>> = process.env): StackConfig {
  const { ROLLCALL_STACK: provider } = loadConfig(z.object({ ROLLCALL_STACK: PROVIDER }), env)
  const given = loadConfig(PORTS, env)
  const ports = {
    registry: given.ROLLCALL_REGISTRY_PORT,
    relay: given.ROLLCALL_RELAY_PORT,
    directory: given.ROLLCALL_DIRECTORY_PORT,
    postgres: given.ROLLCALL_POSTGRES_PORT,
    kafka: given.ROLLCALL_KAFKA_PORT,
    kafkaController: given.ROLLCALL_KAFKA_CONTROLLER_PORT,
    schemaRegistry: given.ROLLCALL_SCHEMA_REGISTRY_PORT,
  }
  if (provider !== 'external') return { provider, ports }
  const addresses = loadConfig(ADDRESSES, env)
  const external = {
    postgres: addresses.ROLLCALL_POSTGRES_URL,
    kafka: addresses.KAFKA_BROKERS,
    schemaRegistry: addresses.SCHEMA_REGISTRY_URL,
  }
  return { provider, ports, external }
}

/** The same provider on free ports: a test run never meets the stack of `npm start`. */
export function onFreePorts(config: StackConfig): StackConfig {
  return {
    ...config,
    ports: { registry: 0, relay: 0, directory: 0, postgres: 0, kafka: 0, kafkaController: 0, schemaRegistry: 0 },
  }
}

const PROVIDER = z.enum(['embedded', 'containers', 'external']).default('embedded')

const PORTS = z.object({
  ROLLCALL_REGISTRY_PORT: port().default(7400),
  ROLLCALL_RELAY_PORT: port().default(7401),
  ROLLCALL_DIRECTORY_PORT: port().default(7410),
  ROLLCALL_POSTGRES_PORT: port().default(15432),
  ROLLCALL_KAFKA_PORT: port().default(19092),
  ROLLCALL_KAFKA_CONTROLLER_PORT: port().default(19093),
  ROLLCALL_SCHEMA_REGISTRY_PORT: port().default(18081),
})

const ADDRESSES = z.object({
  ROLLCALL_POSTGRES_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  KAFKA_BROKERS: z.string().min(1),
  SCHEMA_REGISTRY_URL: z.url({ protocol: /^https?$/ }),
})
