import type { Fault } from '../fault.js'
import { calm, duplicates, gaps } from './deliveries.js'
import { diskFull } from './disk-full.js'
import { killRebuild } from './kill-rebuild.js'
import { killKafka, killPostgres } from './kill-servers.js'
import { killConsumer, killRegistry, killRelay, relayWithoutKafka } from './kill-services.js'
import { lateCommits } from './late-commits.js'
import { answersLost, network } from './network.js'
import { olderBackup } from './older-backup.js'
import { rebalanceStorm, twoRelays, zombie } from './pauses.js'
import { poison } from './poison.js'
import { schemas } from './schemas.js'
import { topicRecreated, topicTrimmed } from './topic-lost.js'

/** The fault matrix, in the order in which the suite goes through it. */
export const faults: readonly Fault[] = [
  calm,
  killRegistry,
  killRelay,
  killConsumer,
  killPostgres,
  killKafka,
  relayWithoutKafka,
  killRebuild,
  network,
  answersLost,
  duplicates,
  gaps,
  twoRelays,
  zombie,
  rebalanceStorm,
  poison,
  schemas,
  lateCommits,
  olderBackup,
  diskFull,
  topicTrimmed,
  topicRecreated,
]
