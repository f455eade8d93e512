import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ManagedProcess } from '@rollcall/dev'
import { toErrorFacts } from '@rollcall/errors'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { readyAgain, shipsAgain, tally } from './recovery.js'

export const diskFull: Fault = {
  name: 'disk-full',
  matrix: 'F8',
  does: 'the disk under Postgres, Kafka, schema registry and logs fills to the last byte for a second or two, and is emptied',
  expects: 'nothing is answered with success that is not kept; after a restart of what ended all goes on',
  trials: { short: 1, long: 8 },
  scene: 'own disk',
  impossible: () => {
    if (process.getuid?.() !== 0) return 'it needs root, for a file system of its own in a private mount namespace'
    const { status } = spawnSync('unshare', ['--mount', 'true'])
    return status === 0 ? undefined : 'this machine lets nobody make a mount namespace (unshare --mount)'
  },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    // The suite's own process was started with its temporary files on the disk to fill.
    const filler = join(tmpdir(), 'filler')
    for (let trial = 0; trial < trials; trial++) {
      stage.startTraffic()
      await sleep(random.between(300, 1_500))
      fill(filler)
      await sleep(random.between(500, 2_500))
      rmSync(filler)
      await sleep(500)
      for (const one of everything(stage)) {
        if (one.pid !== undefined) continue
        count(`${one.name} ended`)
        await one.start().catch((error: unknown) => problems.push(`${one.name}: ${toErrorFacts(error).message}`))
      }
      for (const one of [stage.registry, ...stage.consumers]) await readyAgain(one, problems, 'a full disk')
      await shipsAgain(stage, problems, 'a full disk')
    }
    return { trials, problems, varieties: counts }
  },
}

const everything = ({ postgres, kafka, schemas, registry, relay, consumers }: Stage): ManagedProcess[] => [
  ...[postgres, kafka, schemas],
  ...[registry, relay, ...consumers].map(({ process }) => process),
]

/** Writes until nothing more fits. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let size = 4_194_304; size > 0; ) {
      try {
        if (writeSync(file, Buffer.alloc(size)) < size) size >>= 1
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        size >>= 1
      }
    }
  } finally {
    closeSync(file)
  }
}
