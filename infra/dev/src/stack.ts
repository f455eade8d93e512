import type { Endpoints } from './endpoints.js'
import type { ManagedProcess } from './managed-process.js'

/** A running Postgres, Kafka and schema registry, wherever they come from. */
export interface Stack {
  /** Child processes of ours; empty when the stack runs elsewhere. */
  readonly processes: readonly ManagedProcess[]
  /** The addresses, and the process ids of this moment. */
  endpoints(): Endpoints
  stop(): Promise<void>
}
