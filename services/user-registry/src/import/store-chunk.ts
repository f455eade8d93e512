import { type Sql, uniqueViolation } from '@rollcall/database'
import { step } from '@rollcall/observability'
import { isLostRace } from '../lost-race.js'
import { UserContendedError, UserEmailTakenError, UserNameTakenError } from '../users/user-errors.js'
import { findTaken, nothingTaken, type Taken } from './find-taken.js'
import type { ImportCandidate } from './import-candidate.js'
import type { ImportResult } from './import-result.js'
import { insertUsers } from './insert-users.js'

export interface StoreChunkOptions {
  readonly tenantId: string
  /** True when some of the lines may be there already: their ids repeat because the import has an id. */
  readonly isResumable: boolean
}

/**
 * Writes the users of many lines in one statement. Lines that cannot be written are told apart and left out, the rest
 * is written without them: a bad line never costs its neighbours. Of two lines with one name or address the first wins.
 *
 * @throws UserContendedError when other writers keep taking names of this chunk between look and write.
 */
export async function storeChunk(
  sql: Sql,
  candidates: readonly ImportCandidate[],
  { tenantId, isResumable }: StoreChunkOptions,
): Promise<ImportResult[]> {
  let taken = isResumable ? await findTaken(sql, tenantId, candidates) : nothingTaken()
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const { accepted, results } = judge(candidates, taken)
    try {
      step('import.writing')
      await insertUsers(sql, tenantId, accepted)
      step('import.written')
      return results
    } catch (error) {
      if (uniqueViolation(error) === undefined && !isLostRace(error)) throw error
      taken = await findTaken(sql, tenantId, candidates)
    }
  }
  throw new UserContendedError(candidates[0]?.decision.next.user.id ?? '', MAX_ATTEMPTS)
}

const MAX_ATTEMPTS = 10

function judge(candidates: readonly ImportCandidate[], taken: Taken) {
  const names = new Set(taken.nameKeys)
  const emails = new Set(taken.emailKeys)
  const accepted: ImportCandidate[] = []
  const results = candidates.map((candidate): ImportResult => {
    const { line, decision, nameKey, emailKeys, contentHash } = candidate
    const { id, version } = decision.next.user
    const known = taken.ids.get(id)
    if (known !== undefined) {
      // No content hash: the id is random, so it was this very request that wrote it before its connection broke.
      if (contentHash === null) return { line, status: 'created', id, version }
      return known.contentHash?.equals(contentHash)
        ? { line, status: 'unchanged', id, version: known.version }
        : { line, status: 'failed', id, error: LINE_CHANGED }
    }
    if (names.has(nameKey)) return refused(line, new UserNameTakenError())
    const index = emailKeys.findIndex((key) => emails.has(key))
    if (index !== -1) return refused(line, new UserEmailTakenError(index))
    names.add(nameKey)
    for (const key of emailKeys) emails.add(key)
    accepted.push(candidate)
    return { line, status: 'created', id, version }
  })
  return { accepted, results }
}

const LINE_CHANGED = {
  code: 'ERR_IMPORT_LINE_CHANGED',
  detail: 'This Import-Id made a user from other content in this line; change that user, or use a new Import-Id.',
}

function refused(line: number, { code, message, facts }: UserNameTakenError | UserEmailTakenError): ImportResult {
  return { line, status: 'failed', error: { code, detail: message, pointer: String(facts.pointer) } }
}
