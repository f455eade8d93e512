import type { UserLifecycleEvent } from '@rollcall/events'
import { userLifecycle } from '@rollcall/events'
import { defineProjection } from '@rollcall/projections'

/**
 * Counts the events applied per user, in a table of its own. A read model of last states hides an effect that happened
 * twice or not at all; a counter does not: with exactly-once effects it equals the user's version.
 */
export const effectCounter = defineProjection<UserLifecycleEvent>({
  name: 'effect-counter',
  version: 1,
  topic: userLifecycle,
  onBatch: ({ events }, { tx }) =>
    tx.query(
      `INSERT INTO effect (user_id, count)
       SELECT user_id, count(*) FROM unnest($1::uuid[]) AS user_id GROUP BY user_id ORDER BY user_id
       ON CONFLICT (user_id) DO UPDATE SET count = effect.count + excluded.count`,
      [events.map(({ userId }) => userId)],
    ),
  tables: ['effect'],
})

export const effectTable = 'CREATE TABLE IF NOT EXISTS effect (user_id uuid PRIMARY KEY, count bigint NOT NULL)'
