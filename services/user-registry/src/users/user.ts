import type { JsonObject, User } from '@rollcall/events'
import type { UserProfile } from './user-profile.js'

/** What the registry knows of one user: its public state, and what a restore must know. */
export interface UserState {
  readonly user: User
  /** The status a restore gives back; null while the user is not deleted. */
  readonly statusBeforeDeletion: 'active' | 'suspended' | null
}

export type UserCommand =
  | { readonly type: 'CreateUser'; readonly userId: string; readonly profile: UserProfile }
  /** `patch`: JSON Merge Patch on the mutable part of the public document. */
  | { readonly type: 'UpdateUser'; readonly patch: JsonObject }
  | { readonly type: 'SuspendUser' }
  | { readonly type: 'ReactivateUser' }
  | { readonly type: 'DeleteUser' }
  | { readonly type: 'RestoreUser' }

export type ChangeCommand = Exclude<UserCommand, { type: 'CreateUser' }>

/** Who acts, when, and under which names: everything a decision needs from outside. */
export interface DecisionContext {
  readonly tenantId: string
  readonly actor: { readonly type: 'user' | 'service' | 'system'; readonly id: string }
  readonly correlationId: string
  readonly causationId: string | null
  readonly now: Date
  readonly eventId: string
  /** How long a deleted user can be restored. */
  readonly gracePeriodMs: number
}
