import assert from 'node:assert/strict'
import type { ConsumerOptions, KafkaConsumer, RecordBatch } from '@rollcall/kafka'
import type { LogSource } from '../../log-source.js'
import type { Rule } from './rule.js'

/** A topic of its own, with two partitions and nothing in it. */
export interface LogSubject {
  readonly topic: string
  append(partition: number, ...values: readonly string[]): Promise<void>
  /** The log as a process of its own sees it; closed by whoever opened the subject. */
  member(): LogSource
}

/** The rules of a `LogSource`, as far as the runner leans on them. */
export const logRules: readonly Rule<LogSubject>[] = [
  {
    name: 'offsets tell where each partition begins and ends',
    async check({ append, member, topic }) {
      await append(0, 'a', 'b')
      assert.deepEqual(await offsetsOf(member(), topic), [
        { partition: 0, low: 0, high: 2 },
        { partition: 1, low: 0, high: 0 },
      ])
    },
  },
  {
    name: 'records come in order, from where the caller said to read on',
    async check(subject) {
      await subject.append(0, 'a', 'b', 'c')
      await subject.append(1, 'x', 'y')
      const reader = consume(subject, { assigned: () => new Map([[0, 1]]) })
      await reader.started
      await until(() => reader.read(0).length === 2 && reader.read(1).length === 2)
      assert.deepEqual(
        [reader.read(0), reader.read(1)],
        [
          ['b', 'c'],
          ['x', 'y'],
        ],
      )
      await subject.append(0, 'd')
      await until(() => reader.read(0).length === 3)
      const last = reader.batches.findLast(({ partition }) => partition === 0)
      assert.deepEqual(
        { nextOffset: last?.nextOffset, highWatermark: last?.highWatermark },
        { nextOffset: 4, highWatermark: 4 },
      )
      await reader.close()
    },
  },
  {
    name: 'nothing is handed out before the caller has said where to read on, and it is asked until it does',
    async check(subject) {
      await subject.append(0, 'a')
      let asked = 0
      const reader = consume(subject, {
        assigned() {
          asked++
          assert.equal(reader.batches.length, 0)
          if (asked < 3) throw new Error('not yet')
          return new Map()
        },
      })
      await until(() => reader.read(0).length === 1)
      assert.equal(asked, 3)
      await reader.close()
    },
  },
  {
    name: 'a batch that throws is handed out again, from the same record',
    async check(subject) {
      await subject.append(0, 'a', 'b')
      let failures = 0
      const reader = consume(subject, {
        batch() {
          if (failures++ < 2) throw new Error('not this time')
        },
      })
      await until(() => failures >= 3)
      assert.deepEqual(
        reader.batches.slice(0, 3).map(({ records }) => records[0]?.offset),
        [0, 0, 0],
      )
      await reader.close()
    },
  },
  {
    name: 'a seek makes the batch in flight stale, and reads on from there',
    async check(subject) {
      await subject.append(0, 'a', 'b', 'c')
      const seen: boolean[] = []
      const reader = consume(subject, {
        batch(batch) {
          if (reader.batches.length > 1) return
          seen.push(batch.isStale())
          reader.consumer.seek(0, 1)
          seen.push(batch.isStale())
        },
      })
      await until(() => reader.batches.length >= 2)
      assert.deepEqual(seen, [false, true])
      assert.equal(reader.batches[1]?.records[0]?.offset, 1)
      await reader.close()
    },
  },
  {
    name: 'a seek while the caller is asked wins over its answer',
    async check(subject) {
      await subject.append(0, 'a', 'b', 'c')
      const reader = consume(subject, {
        assigned() {
          reader.consumer.seek(0, 2)
          return new Map([[0, 0]])
        },
      })
      await until(() => reader.batches.length > 0)
      assert.deepEqual(reader.read(0), ['c'])
      await reader.close()
    },
  },
  {
    name: 'a paused partition waits until it is resumed, the others do not',
    async check(subject) {
      const reader = consume(subject, {})
      await reader.started
      reader.consumer.pause([0])
      await subject.append(0, 'a')
      await subject.append(1, 'x')
      await until(() => reader.read(1).length === 1)
      assert.deepEqual(reader.read(0), [])
      reader.consumer.resume([0])
      await until(() => reader.read(0).length === 1)
      await reader.close()
    },
  },
  {
    name: 'a caller that asks for its partitions again is asked where to read on',
    async check(subject) {
      await subject.append(0, 'a', 'b')
      let from = 0
      const reader = consume(subject, { assigned: () => new Map([[0, from]]) })
      await until(() => reader.read(0).length === 2)
      from = 1
      await reader.consumer.reclaim([0])
      await until(() => reader.read(0).length === 3)
      assert.deepEqual(reader.read(0), ['a', 'b', 'b'])
      await reader.close()
    },
  },
  {
    name: 'a second member takes its share, and work in flight on what it took is stale',
    async check(subject) {
      await subject.append(0, 'a')
      await subject.append(1, 'x')
      const inFlight = new Map<number, RecordBatch>()
      let isHeld = true
      const first = consume(subject, {
        async batch(batch) {
          inFlight.set(batch.partition, batch)
          await until(() => !isHeld || batch.isStale())
        },
      })
      await until(() => inFlight.size === 2)
      const second = consume(subject, {})
      await second.started
      await until(() => second.consumer.assignment().length === 1 && first.consumer.assignment().length === 1)
      const [taken = -1] = second.consumer.assignment()
      assert.notEqual(first.consumer.assignment()[0], taken)
      await until(() => first.revoked.includes(taken))
      assert.equal(inFlight.get(taken)?.isStale(), true)
      // Nothing was committed anywhere: the new owner begins where its caller says.
      await until(() => second.read(taken).length === 1)
      isHeld = false
      await Promise.all([first.close(), second.close()])
    },
  },
  {
    name: 'what a member held goes to the others when it leaves',
    async check(subject) {
      const first = consume(subject, {})
      await first.started
      const second = consume(subject, {})
      await until(() => second.consumer.assignment().length === 1 && first.consumer.assignment().length === 1)
      await first.close()
      await until(() => second.consumer.assignment().length === 2)
      await subject.append(0, 'a')
      await subject.append(1, 'x')
      await until(() => second.read(0).length === 1 && second.read(1).length === 1)
      await second.close()
    },
  },
]

interface Reader {
  readonly consumer: KafkaConsumer
  readonly started: Promise<void>
  readonly batches: RecordBatch[]
  readonly revoked: number[]
  /** The values handed out so far. */
  read(partition: number): string[]
  close(): Promise<void>
}

interface Told {
  assigned?(partitions: readonly number[]): ReadonlyMap<number, number>
  batch?(batch: RecordBatch): void | Promise<void>
}

function consume({ member, topic }: LogSubject, { assigned, batch }: Told): Reader {
  const batches: RecordBatch[] = []
  const revoked: number[] = []
  const options: ConsumerOptions = {
    groupId: `contract.${topic}`,
    topic,
    concurrency: Number.POSITIVE_INFINITY,
    assigned: async (partitions) => assigned?.(partitions) ?? new Map(),
    async batch(one) {
      batches.push(one)
      await batch?.(one)
    },
    revoked: (partitions) => void revoked.push(...partitions),
  }
  const consumer = member().consumer(options)
  return {
    consumer,
    batches,
    revoked,
    started: consumer.start(),
    read: (partition) =>
      batches.flatMap((one) => (one.partition === partition ? one.records.map(({ value }) => String(value)) : [])),
    close: () => consumer.close(),
  }
}

const offsetsOf = async (log: LogSource, topic: string) =>
  [...(await log.offsets(topic))]
    .sort((a, b) => a.partition - b.partition)
    .map(({ partition, low, high }) => ({ partition, low, high }))

const PATIENCE_MS = 40_000

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not within ${PATIENCE_MS} ms: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
