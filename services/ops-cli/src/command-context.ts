import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import { address, ENDPOINT_NAMES, type Endpoints } from './endpoints.js'
import { createServiceClient, type ServiceClient } from './service-client.js'
import type { Terminal } from './terminal.js'

/** What a command finds when it runs. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly endpoints: Endpoints
  readonly cwd: string
  /** For `loadConfig`; undefined means the environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined }
  /** Aborted on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
  readonly verbose: boolean
}

/** `wrong` is exit code 1: the command ran and found, or left, something that needs attention. Failures are thrown. */
export type Outcome = 'done' | 'wrong'

/** Turns what a command does into what commander calls: arguments, then options, with the context in front. */
export type Act = <Args extends unknown[]>(
  action: (context: CommandContext, ...args: Args) => Promise<Outcome>,
) => (...args: [...Args, Command]) => Promise<void>

/** The HTTP services. */
export type HttpService = 'registry' | 'relay' | 'directory'

/**
 * A client of one HTTP service.
 *
 * @throws EndpointsMissingError when its address is not known
 */
export const clientOf = (context: CommandContext, name: HttpService): ServiceClient =>
  createServiceClient(ENDPOINT_NAMES[name].spoken, address(context.endpoints, name), context.signal)
