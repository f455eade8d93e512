import type { Child } from '../child.js'
import type { HotLoad, PeerWriterCommands } from '../processes/peer-writer.js'
import { DRAIN_USERS } from './drain.js'
import { type Ground, settled } from './ground.js'

export interface Hot {
  readonly committedPerSecond: number
  /** From the last commit until everything is in the topic. */
  readonly behindMs: number
}

/** Writers that meet on few users, the relay at work; the topic is judged later. */
export async function hot(ground: Ground, writer: Child<PeerWriterCommands>, load: HotLoad): Promise<Hot> {
  const { peer, arrived } = ground
  await peer.process.start()
  try {
    // A relay that has yet to start up is not behind: one message first.
    const before = await arrived()
    await ground.append('drain', 1, { count: DRAIN_USERS, pick: 'turns' })
    await settled(ground, before + 1)
    const { keys, versions, perSecond } = await writer.call('hot', load)
    const endedAt = performance.now()
    ground.note(keys, versions)
    let reachedAt = Number.NaN
    const end = before + 1 + keys.length
    while (performance.now() < endedAt + PATIENCE_MS) {
      if ((await arrived()) >= end) {
        reachedAt = performance.now()
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return { committedPerSecond: perSecond, behindMs: reachedAt - endedAt }
  } finally {
    await peer.process.stop()
  }
}

const PATIENCE_MS = 60_000
