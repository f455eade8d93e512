import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'

export const lateCommits: Fault = {
  name: 'late-commits',
  matrix: 'F15',
  does: 'one write in ten commits up to 0.4 s after it drew its outbox id; open transactions hold old xids; ids are burnt',
  expects: 'no committed row is passed over, no version inverted, and nobody waits for an open transaction',
  trials: { short: 30, long: 500 },
  async run(stage, { trials, random }) {
    const { registry } = stage.scene.databases
    const before = await linger(stage)
    stage.startTraffic()
    const end = new AbortController()
    const held = holdTransactions(stage, random, end.signal)
    let late = 0
    try {
      for (let waitedMs = 0; late < trials && waitedMs < 600_000; waitedMs += 200) {
        await sleep(200)
        late = (await lingered(stage)) - before
        await registry.query(`SELECT nextval(pg_get_serial_sequence('outbox.message', 'id'))`)
      }
    } finally {
      end.abort()
      await held
      // By itself DROP TRIGGER takes the partitions before the table, a write the table before a partition: they met in a deadlock.
      await registry.query('BEGIN; LOCK TABLE outbox.message; DROP TRIGGER chaos_linger ON outbox.message; COMMIT')
    }
    return { trials: late, problems: [] }
  },
}

/** A row of the product's own statement waits after its id is drawn. Not in the statement's text: what is tried is ours as it is. */
async function linger(stage: Stage): Promise<number> {
  await stage.scene.databases.registry.query(`
    CREATE SEQUENCE IF NOT EXISTS outbox.chaos_lingered;
    CREATE OR REPLACE FUNCTION outbox.chaos_linger() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF random() < 0.1 THEN
        PERFORM nextval('outbox.chaos_lingered');
        PERFORM pg_sleep(random() * 0.4);
      END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_linger AFTER INSERT ON outbox.message FOR EACH ROW EXECUTE FUNCTION outbox.chaos_linger()`)
  return lingered(stage)
}

async function lingered({ scene }: Stage): Promise<number> {
  const { rows } = await scene.databases.registry.query<{ drawn: string }>(
    'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS drawn FROM outbox.chaos_lingered',
  )
  return Number(rows[0]?.drawn ?? 0)
}

async function holdTransactions({ scene }: Stage, random: Random, end: AbortSignal): Promise<void> {
  while (!end.aborted) {
    const client = await scene.databases.registry.connect()
    try {
      await client.query('BEGIN')
      await client.query('SELECT pg_current_xact_id()')
      await sleep(random.between(500, 3_000))
      await client.query(random.next() < 0.5 ? 'COMMIT' : 'ROLLBACK')
      client.release()
    } catch (error) {
      client.release(error as Error)
    }
  }
}
