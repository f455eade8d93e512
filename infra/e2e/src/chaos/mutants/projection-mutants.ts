import type { Mutant } from './mutant.js'

const store = 'libs/projections/dist/store/sql-store.js'
const decide = 'libs/projections/dist/apply/decide.js'
const apply = 'libs/projections/dist/apply/apply-records.js'
const parking = 'libs/projections/dist/store/parking-sql.js'
const runner = 'libs/projections/dist/runner/projection-runner.js'

/** Bugs of the projection runner, of parking and of redrive. */
export const projectionMutants: readonly Mutant[] = [
  {
    name: 'position-before-effect',
    bug: 'the position is committed in a transaction of its own, before the effects',
    file: store,
    edits: [
      {
        find: 'work(storeTransaction(tx, inside))',
        replace: 'work({ ...storeTransaction(tx, inside), advance: (moves, ids) => advance(sql, moves, ids) })',
      },
    ],
    fault: 'kill-consumer',
    trials: 12,
    caughtBy: ['I4', 'I5'],
  },
  {
    name: 'effect-outside-the-transaction',
    bug: 'the read model is written through the pool, not in the transaction of the position',
    file: store,
    edits: [
      {
        find: 'work(storeTransaction(tx, inside))',
        replace: 'work({ ...storeTransaction(tx, inside), tx: connection.pool, sql })',
      },
    ],
    fault: 'kill-consumer',
    trials: 12,
    caughtBy: ['I5'],
  },
  {
    name: 'version-not-recorded',
    bug: 'applied versions are not written down for one user in ten',
    file: store,
    edits: [
      {
        find: 'values: [[...versions.keys()], [...versions.values()]],',
        replace: `values: [[...versions.keys()], [...versions].map(([key, version]) => (key.endsWith('7') ? version - 1 : version))],`,
      },
    ],
    fault: 'calm',
    trials: 600,
    caughtBy: ['I4', 'I5'],
  },
  {
    name: 'duplicates-applied',
    bug: 'an event whose version is known is applied again',
    file: decide,
    edits: [
      {
        find: 'if (version <= known)\n            verdicts.push(SKIP);',
        replace: 'if (version <= known) verdicts.push(APPLY);',
      },
    ],
    fault: 'duplicates',
    trials: 60,
    caughtBy: ['I5'],
  },
  {
    name: 'version-check-skipped',
    bug: 'any newer version is applied, also when others are missing before it',
    file: decide,
    edits: [{ find: 'failure === undefined && version === known + 1', replace: 'failure === undefined' }],
    fault: 'gaps',
    trials: 10,
    caughtBy: ['I5'],
  },
  {
    name: 'runner-forgets-the-fence',
    bug: 'the position is written without comparing epoch and position of the claim',
    file: store,
    edits: [
      {
        find: 'AND c.epoch = move.epoch AND c.position = move.position\n         AND c.parking = move.parking',
        replace: 'AND move.epoch > 0 AND move.position >= 0 AND move.parking >= 0',
      },
    ],
    fault: 'zombie',
    trials: 4,
    caughtBy: ['I3', 'I5'],
  },
  {
    name: 'undecodable-swallowed',
    bug: 'a record that cannot be decoded is passed over',
    file: apply,
    edits: [{ find: 'item = await readAgain(record, value, error, batch, options);', replace: 'continue;' }],
    fault: 'poison',
    trials: 8,
    caughtBy: ['I12'],
  },
  {
    name: 'later-events-of-a-parked-user-applied',
    bug: 'a failing event is kept aside, and its user goes on without it',
    file: decide,
    edits: [
      {
        find: 'else if (parked.has(userId) || parks.has(userId)) {',
        replace: `else if (failure === undefined && (parked.has(userId) || parks.has(userId))) {
          verdicts.push(APPLY);
          versions.set(userId, version);
        }
        else if (parked.has(userId) || parks.has(userId)) {`,
      },
    ],
    fault: 'poison',
    // The user must be changed again while it is parked: 24 trials in all did not show it once.
    trials: 24,
    caughtBy: ['I5'],
  },
  {
    name: 'later-events-of-a-parked-user-lost',
    bug: 'events behind a parked one are skipped instead of kept',
    file: decide,
    edits: [
      {
        find: "verdicts.push({ act: 'park', cause: 'behind', knownVersion: known });",
        replace: 'verdicts.push(SKIP);',
      },
    ],
    fault: 'poison',
    trials: 8,
    caughtBy: ['I4', 'I5'],
  },
  {
    name: 'retry-in-vain-drops-the-rest',
    bug: 'a retry that fails drops all waiting records',
    file: parking,
    edits: [{ find: '"offset" <= $3::bigint RETURNING', replace: '$3::bigint IS NOT NULL RETURNING' }],
    fault: 'poison',
    trials: 8,
    caughtBy: ['I4', 'I5', 'I12'],
  },
  {
    name: 'search-for-the-failing-event-loses-one',
    bug: 'when a batch is halved to find the failing event, the one in the middle is forgotten',
    file: apply,
    edits: [{ find: 'items: items.slice(half), to }', replace: 'items: items.slice(half + 1), to }' }],
    fault: 'poison',
    trials: 12,
    caughtBy: ['I4', 'I5', 'I12'],
  },
  {
    name: 'deleted-users-stay',
    bug: 'the row of a deleted user is left where it is',
    file: 'libs/projections/dist/apply/table-writer.js',
    edits: [{ find: 'leaving.push(userId);', replace: 'continue;' }],
    fault: 'calm',
    trials: 600,
    caughtBy: ['I4'],
  },
  {
    name: 'lost-position-jumped-over',
    bug: 'a position the topic no longer has is silently replaced by its beginning or end',
    file: runner,
    edits: [
      {
        find: 'if (one.position < low || one.position > high)',
        replace:
          'if (one.position < low || one.position > high) partition.claim = { ...one, position: low }; if (one.position < 0)',
      },
    ],
    fault: 'topic-trimmed',
    trials: 12,
    caughtBy: ['I12'],
  },
]
