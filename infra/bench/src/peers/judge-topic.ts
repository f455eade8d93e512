import { sequenceOf } from '@rollcall/events'
import type { KafkaClient } from '@rollcall/kafka'
import { PHASES, type Phase, phaseOf } from './outbox-form.js'

/** What a topic holds of one phase, against what was committed. */
export interface Verdict {
  readonly committed: number
  /** Committed versions that are nowhere in the topic. */
  readonly lost: number
  /** Records of a version that is there already. */
  readonly duplicates: number
  /** Versions whose first record comes after the first record of a later version of the same key. */
  readonly inverted: number
  /** Duplicates that come after a record of a later version of the same key: who just overwrites goes back in time. */
  readonly oldAfterNew: number
  /** Records of a version nobody committed. */
  readonly invented: number
}

/** Key to its newest committed version; versions have no gaps. */
export type CommittedVersions = ReadonlyMap<string, number>

/** Reads the whole topic back, in the order consumers see. */
export async function judgeTopic(
  kafka: KafkaClient,
  topic: string,
  committed: CommittedVersions,
): Promise<Readonly<Record<Phase, Verdict>>> {
  const judges = Object.fromEntries(PHASES.map((phase) => [phase, judgeOf()])) as Record<Phase, Judge>
  for (const [key, newest] of committed) judges[phaseOf(key) as Phase].expect(key, newest)
  await kafka.readTopic({
    topic,
    onBatch({ records }) {
      for (const { key, headers } of records) {
        const name = key?.toString() ?? ''
        judges[phaseOf(name) as Phase].see(name, sequenceOf(headers) ?? Number.NaN)
      }
    },
  })
  return Object.fromEntries(PHASES.map((phase) => [phase, judges[phase].verdict()])) as Record<Phase, Verdict>
}

interface Judge {
  expect(key: string, newest: number): void
  see(key: string, version: number): void
  verdict(): Verdict
}

/** Pure; exported for its test. */
export function judgeOf(): Judge {
  const keys = new Map<string, { readonly seen: Uint8Array; highest: number }>()
  let committed = 0
  let first = 0
  let duplicates = 0
  let inverted = 0
  let oldAfterNew = 0
  let invented = 0
  return {
    expect(key, newest) {
      committed += newest
      keys.set(key, { seen: new Uint8Array(newest + 1), highest: 0 })
    },
    see(key, version) {
      const known = keys.get(key)
      if (known === undefined || !(version >= 1 && version < known.seen.length)) {
        invented++
        return
      }
      const isOld = version < known.highest
      if (known.seen[version] === 1) {
        duplicates++
        if (isOld) oldAfterNew++
      } else {
        known.seen[version] = 1
        first++
        if (isOld) inverted++
      }
      known.highest = Math.max(known.highest, version)
    },
    verdict: () => ({ committed, lost: committed - first, duplicates, inverted, oldAfterNew, invented }),
  }
}
