import type { Mutant } from './mutant.js'

const reader = 'libs/outbox/dist/relay/outbox-reader.js'
const lead = 'libs/outbox/dist/relay/lead.js'
const shipPage = 'libs/outbox/dist/relay/ship-page.js'

/** Bugs of the relay. */
export const relayMutants: readonly Mutant[] = [
  {
    name: 'cursor-by-id',
    bug: 'the relay reads ids above the highest it has seen, instead of the difference of two snapshots',
    file: reader,
    edits: [
      {
        find: 'WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) LIMIT $3)',
        replace: 'WHERE id > $1::text::bigint ORDER BY id LIMIT $3)',
      },
      { find: 'WHERE xid = ANY ($2::xid8[]) LIMIT $3)', replace: 'WHERE false AND $2::text IS NOT NULL LIMIT $3)' },
      { find: 'values: [since, ', replace: 'values: [(globalThis.chaosSeen ??= "0"), ' },
      {
        find: 'return { snapshot, page: found.length > limit ? undefined : pageOfRows(found) };',
        replace: `for (const [id] of found) if (Number(id) > Number(globalThis.chaosSeen)) globalThis.chaosSeen = id;
          return { snapshot, page: pageOfRows(found) };`,
      },
    ],
    fault: 'late-commits',
    trials: 30,
    caughtBy: ['I1'],
  },
  {
    name: 'open-transactions-forgotten',
    bug: 'rows of transactions that were open at the last look are not looked for',
    file: reader,
    edits: [
      { find: 'WHERE xid = ANY ($2::xid8[]) LIMIT $3)', replace: 'WHERE false AND $2::text IS NOT NULL LIMIT $3)' },
    ],
    fault: 'late-commits',
    trials: 30,
    caughtBy: ['I1'],
  },
  {
    name: 'page-in-the-wrong-order',
    bug: 'a page of live rows is sent newest first',
    file: 'libs/outbox/dist/relay/page.js',
    edits: [{ find: 'one.id - other.id', replace: 'other.id - one.id' }],
    fault: 'kill-relay',
    trials: 8,
    caughtBy: ['I3'],
  },
  {
    name: 'relay-forgets-its-epoch',
    bug: 'the relay stores its position, renews its lease and takes a producer epoch without comparing its own',
    file: 'libs/outbox/dist/relay/relay-state.js',
    edits: [
      { find: 'WHERE epoch = $1 AND snap::text = $2', replace: 'WHERE $1::bigint > 0 AND $2::text IS NOT NULL' },
      { find: 'WHERE epoch = $1 AND kafka_cluster = $2', replace: 'WHERE $1::bigint > 0 AND kafka_cluster = $2' },
    ],
    fault: 'two-relays',
    trials: 2,
    caughtBy: ['I12', 'I1', 'I3'],
  },
  {
    name: 'acknowledged-before-sent',
    bug: 'the position moves on while the send is still under way',
    file: shipPage,
    edits: [
      {
        find: 'await options.publisher.send(topic, batch.records.slice(from, to));',
        replace: 'void options.publisher.send(topic, batch.records.slice(from, to)).catch(() => {});',
      },
    ],
    fault: 'relay-without-kafka',
    trials: 4,
    caughtBy: ['I1', 'I3'],
  },
  {
    name: 'failed-send-passed-over',
    bug: 'a send that failed is logged, and the next page is taken',
    file: shipPage,
    edits: [{ find: 'await options.beforeRetry(error);', replace: 'return;' }],
    // Cut links met a send on its way too seldom: in one run 74 trials of `network` did not show it.
    fault: 'kill-kafka',
    trials: 8,
    caughtBy: ['I1', 'I3'],
  },
  {
    name: 'position-stored-before-sent',
    bug: 'the position is handed to the keeper before the page is shipped',
    file: lead,
    edits: [
      {
        find: "step('relay.looked');",
        replace: `step('relay.looked');
          keeper.acknowledge({ snap: snapshot, upper: null, lastId: Math.max(position.lastId, page.lastId), shipped: position.shipped, offsets: leading.publisher.offsets() }, true);
          await keeper.flush();`,
      },
    ],
    fault: 'kill-relay',
    trials: 8,
    caughtBy: ['I1', 'I3'],
  },
  {
    name: 'wrong-partition',
    bug: 'one record in a hundred goes to the neighbour of its partition',
    file: shipPage,
    edits: [
      {
        find: 'record.partition = partitionOf(key, partitions);',
        replace: 'record.partition = (partitionOf(key, partitions) + (Math.random() < 0.01 ? 1 : 0)) % partitions;',
      },
    ],
    fault: 'calm',
    trials: 600,
    caughtBy: ['I3'],
  },
  {
    name: 'back-log-window-closed-early',
    bug: 'the first page of a back-log moves the position to the end of its window',
    file: lead,
    edits: [
      // Pages small enough that an import is several of them.
      {
        find: 'const { reader, keeper, end, options, logger, term } = leading;\n    const { snap } = start;',
        replace: `const { reader, keeper, end, logger, term } = leading;
          const options = { ...leading.options, pageRows: 200 };
          const { snap } = start;`,
      },
      {
        find: 'keeper.acknowledge(position, true);\n    }',
        replace: `keeper.acknowledge({ ...position, snap: upper, upper: null }, true);
          await keeper.flush();
          }`,
      },
    ],
    fault: 'kill-relay',
    trials: 8,
    caughtBy: ['I1'],
  },
]
