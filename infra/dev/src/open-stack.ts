import { startContainerStack } from './container-stack.js'
import { startEmbeddedStack } from './embedded-stack.js'
import { connectExternalStack } from './external-stack.js'
import type { Stack } from './stack.js'
import type { StackConfig } from './stack-config.js'

export interface OpenStackOptions {
  readonly config: StackConfig
  /** Used by the embedded provider. */
  readonly dataDir: string
  /** Used by the embedded provider; see `startPostgres`. @default true */
  readonly fsync?: boolean
  readonly onReady?: (part: { readonly name: string; readonly tookMs: number }) => void
  readonly onSwept?: (names: readonly string[]) => void
}

/** Postgres, Kafka and the schema registry from the provider that the configuration names; callers cannot tell which. */
export async function openStack({ config, dataDir, fsync = true, ...listeners }: OpenStackOptions): Promise<Stack> {
  if (config.external) return connectExternalStack(config.external, listeners)
  if (config.provider === 'containers') return startContainerStack({ ports: config.ports, ...listeners })
  return startEmbeddedStack({ dataDir, fsync, ports: config.ports, ...listeners })
}
