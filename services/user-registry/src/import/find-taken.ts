import type { Sql } from '@rollcall/database'
import type { ImportCandidate } from './import-candidate.js'

/** What the database has already of a chunk. */
export interface Taken {
  readonly ids: ReadonlyMap<string, { readonly version: number; readonly contentHash: Buffer | null }>
  readonly nameKeys: ReadonlySet<string>
  readonly emailKeys: ReadonlySet<string>
}

export function nothingTaken(): Taken {
  return { ids: new Map(), nameKeys: new Set(), emailKeys: new Set() }
}

/** Looks up the ids, names and addresses of a chunk. */
export async function findTaken(sql: Sql, tenantId: string, candidates: readonly ImportCandidate[]): Promise<Taken> {
  const { rows } = await sql.query<{ kind: string; key: string; version: number | null; import_hash: Buffer | null }>({
    name: 'registry_find_taken',
    text: `SELECT 'id' AS kind, id::text AS key, version, import_hash FROM user_account WHERE id = ANY ($2::uuid[])
           UNION ALL SELECT 'name', user_name_key, NULL, NULL FROM user_account
             WHERE tenant_id = $1 AND user_name_key = ANY ($3::text[])
           UNION ALL SELECT 'email', email_key, NULL, NULL FROM user_email
             WHERE tenant_id = $1 AND email_key = ANY ($4::text[])`,
    values: [
      tenantId,
      candidates.map(({ decision }) => decision.next.user.id),
      candidates.map(({ nameKey }) => nameKey),
      candidates.flatMap(({ emailKeys }) => emailKeys),
    ],
  })
  const keysOf = (kind: string) => rows.filter((row) => row.kind === kind).map(({ key }) => key)
  return {
    ids: new Map(
      rows
        .filter(({ kind }) => kind === 'id')
        .map(({ key, version, import_hash }) => [key, { version: Number(version), contentHash: import_hash }]),
    ),
    nameKeys: new Set(keysOf('name')),
    emailKeys: new Set(keysOf('email')),
  }
}
