import type { Decision } from '../users/decide.js'
import { emailKey } from '../users/email-address.js'
import { foldCase } from '../users/fold-case.js'
import { toPublicUser } from '../users/public-user.js'

/** A line that decided to become a user, with everything that will be written of it. */
export interface ImportCandidate {
  readonly line: number
  readonly decision: Decision
  readonly nameKey: string
  readonly emailKeys: readonly string[]
  /** The event as it will stand on the topic. */
  readonly record: Buffer
  /** The public document, as JSON. */
  readonly after: string
  /** SHA-256 of the content, in imports that can be resumed. */
  readonly contentHash: Buffer | null
}

export function toCandidate(
  line: number,
  decision: Decision,
  record: Buffer,
  contentHash: Buffer | null,
): ImportCandidate {
  const { user } = decision.next
  return {
    line,
    decision,
    nameKey: foldCase(user.userName),
    emailKeys: user.emails.map(({ value }) => emailKey(value)),
    record,
    after: JSON.stringify(toPublicUser(user)),
    contentHash,
  }
}
