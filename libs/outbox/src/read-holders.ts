import type { Sql } from '@rollcall/database'

/** What keeps Postgres from cleaning up, or the outbox from dropping partitions. */
export interface Holder {
  readonly kind: 'session' | 'prepared transaction' | 'replication slot' | 'standby server'
  /** Application name, name of the prepared transaction, or name of the slot. */
  readonly name: string
  /** Backend that can be asked or ended; null when there is none. */
  readonly pid: number | null
  /** What it is doing: `idle in transaction`, `active`, `inactive` … */
  readonly state: string
  readonly database: string | null
  /** How long; null when Postgres does not say. */
  readonly ageMs: number | null
  /** Transactions begun since its horizon: what vacuum may not clean up. Null when it holds no horizon. */
  readonly transactions: number | null
  /** Until Postgres refuses writes to prevent wraparound, if transactions go on at the same rate; null when far or unknown. */
  readonly standstillInMs: number | null
  /** Bytes of WAL it keeps on disk; null when it keeps none. */
  readonly walBytes: number | null
  /**
   * `vacuum`: dead rows stay, everywhere in the cluster. `retention`: shipped partitions stay. `own messages`: the messages
   * it wrote wait for its commit. `disk`: WAL stays. Nothing else is delayed by an open transaction.
   */
  readonly holdsBack: readonly ('vacuum' | 'retention' | 'own messages' | 'disk')[]
  /** A statement that ends it; whoever runs it should know what it is. */
  readonly wayOut: string
}

/**
 * Lists what has held the horizon of the cluster or kept WAL for `olderThanMs` (a minute), longest first: sessions,
 * prepared transactions, replication slots nobody reads; and slots and standby servers that are followed but a million
 * transactions or 1 GB behind. Without the rights of `pg_monitor` other users' sessions are not seen. Needs Postgres 17.
 */
export async function readHolders(sql: Sql, { olderThanMs = 60_000 } = {}): Promise<Holder[]> {
  const { rows } = await sql.query<HolderRow>(HOLDERS_SQL, [olderThanMs])
  return rows.map((row) => {
    const holdsHorizon = row.transactions !== null
    const wal = row.wal_bytes === null ? null : Number(row.wal_bytes)
    return {
      kind: row.kind,
      name: row.name,
      pid: row.pid,
      state: row.state,
      database: row.database,
      ageMs: row.age_ms === null ? null : Number(row.age_ms),
      transactions: row.transactions === null ? null : Number(row.transactions),
      standstillInMs: standstillInMs(row),
      walBytes: wal,
      holdsBack: [
        ...(holdsHorizon ? (['vacuum'] as const) : []),
        ...(row.writes || row.locks ? (['retention'] as const) : []),
        ...(row.writes && row.here ? (['own messages'] as const) : []),
        ...(wal !== null && wal > 0 ? (['disk'] as const) : []),
      ],
      wayOut: row.way_out,
    }
  })
}

function standstillInMs({ age_ms: ageMs, transactions }: HolderRow): number | null {
  const [begun, inMs] = [Number(transactions ?? 0), Number(ageMs ?? 0)]
  if (begun < 1_000 || inMs < 60_000) return null
  return Math.round(((WRITES_STOP_AT - begun) / begun) * inMs)
}

/** Three million transactions before 2^31 Postgres assigns no more. */
const WRITES_STOP_AT = 2 ** 31 - 3_000_000

interface HolderRow {
  kind: Holder['kind']
  name: string
  pid: number | null
  state: string
  database: string | null
  age_ms: string | null
  transactions: string | null
  wal_bytes: string | null
  /** Has a transaction id: its place in snapshots keeps the relay's horizon, and with it retention, before it. */
  writes: boolean
  /** Has the outbox locked. */
  locks: boolean
  /** In this database. */
  here: boolean
  way_out: string
}

// A slot or a standby that is followed holds a little always; it is worth a word when it falls far behind.
const MANY_TRANSACTIONS = 1_000_000
const MUCH_WAL = 1_073_741_824

const HOLDERS_SQL = `
  WITH holder AS (
    SELECT 'session' AS kind, coalesce(nullif(application_name, ''), usename, backend_type) AS name, pid, state,
      datname AS database, clock_timestamp() - xact_start AS age, age(coalesce(backend_xmin, backend_xid)) AS transactions,
      NULL::numeric AS wal_bytes, backend_xid IS NOT NULL AS writes,
      EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.relation = 'outbox.message'::regclass
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
      format('SELECT pg_terminate_backend(%s);', pid) AS way_out
    FROM pg_stat_activity a
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS NOT NULL
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR state LIKE 'idle in transaction%')
    UNION ALL
    SELECT 'prepared transaction', gid, NULL, 'prepared', database, clock_timestamp() - prepared, age(transaction),
      NULL, true, false, format('COMMIT PREPARED %L; or ROLLBACK PREPARED %L;', gid, gid)
    FROM pg_prepared_xacts
    UNION ALL
    SELECT 'replication slot', slot_name, active_pid,
      CASE WHEN active THEN 'active' ELSE 'inactive' END || coalesce(', ' || wal_status, ''), database,
      CASE WHEN active THEN NULL ELSE clock_timestamp() - inactive_since END,
      greatest(age(xmin), age(catalog_xmin)), pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), false, false,
      format('SELECT pg_drop_replication_slot(%L);', slot_name)
    FROM pg_replication_slots
    WHERE NOT pg_is_in_recovery() AND (xmin IS NOT NULL OR catalog_xmin IS NOT NULL OR restart_lsn IS NOT NULL)
    UNION ALL
    SELECT 'standby server', coalesce(nullif(application_name, ''), client_addr::text, 'unnamed'), pid, state, NULL,
      NULL, age(backend_xmin), NULL, false, false,
      'set hot_standby_feedback = off there, or end the long query that runs there'
    FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
  )
  SELECT kind, name, pid, state, database, floor(extract(epoch FROM age) * 1000)::bigint AS age_ms, transactions,
    wal_bytes, writes, locks, database IS NOT DISTINCT FROM current_database() AS here, way_out
  FROM holder
  WHERE age >= $1 * interval '1 ms' OR (age IS NULL AND (transactions > ${MANY_TRANSACTIONS} OR wal_bytes > ${MUCH_WAL}))
  ORDER BY age DESC NULLS LAST`
