// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source text
import type { Mutant } from './mutant.js'

const writeUser = 'services/user-registry/dist/users/write-user.js'
const commands = 'services/user-registry/dist/users/user-commands.js'

/** Bugs of the write. */
export const registryMutants: readonly Mutant[] = [
  {
    name: 'audit-row-lost',
    bug: 'one change in fifty leaves no audit row',
    file: writeUser,
    edits: [
      {
        find: '$22::json, $23::json ${user.from}`',
        replace: '$22::json, $23::json ${user.from} WHERE random() > 0.02`',
      },
      { find: 'return rowCount === 1;', replace: 'return true;' },
    ],
    fault: 'calm',
    trials: 600,
    caughtBy: ['G8'],
  },
  {
    name: 'outbox-row-outside-the-transaction',
    bug: 'the outbox row is written after the commit, in a statement of its own',
    file: writeUser,
    edits: [
      {
        find: "message AS (${appendOutboxSql(`SELECT ${user.id}, ${user.version}, '${userLifecycle.name}', $18::bytea ${user.from}`)})",
        replace: 'message AS (SELECT $18::bytea)',
      },
      {
        find: 'return rowCount === 1;',
        replace: `if (rowCount !== 1) return false;
          await new Promise((resolve) => setTimeout(resolve, 20));
          await sql.query(appendOutboxSql("SELECT $1::uuid, $2::bigint, $3::text, $4::bytea"), [user.id, user.version, userLifecycle.name, record]);
          return true;`,
      },
    ],
    fault: 'kill-registry',
    trials: 10,
    caughtBy: ['I1'],
  },
  {
    name: 'answers-before-the-commit',
    bug: 'the client is answered while the write is still under way',
    file: commands,
    edits: [
      {
        find: 'if (!(await writeUser(sql, change)))\n                return undefined;',
        replace: 'void writeUser(sql, change).catch(() => {});',
      },
    ],
    fault: 'kill-registry',
    trials: 10,
    caughtBy: ['I11'],
  },
  {
    name: 'idempotent-answer-not-stored',
    bug: 'the answer is not kept under its Idempotency-Key',
    file: writeUser,
    edits: [
      { find: 'answers: answer !== undefined,', replace: 'answers: false,' },
      { find: '...(answer === undefined ? []', replace: '...(true ? []' },
    ],
    fault: 'answers-lost',
    trials: 12,
    caughtBy: ['I11'],
  },
  {
    name: 'event-carries-the-state-before',
    bug: 'an event of a change carries the user as it was',
    file: commands,
    edits: [
      {
        find: 'record: encodeUserRecord(decision.event, codec),',
        replace: 'record: encodeUserRecord({ ...decision.event, user: before?.user ?? decision.event.user }, codec),',
      },
    ],
    fault: 'calm',
    trials: 300,
    caughtBy: ['I2', 'I4'],
  },
]
