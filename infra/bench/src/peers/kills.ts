import { until } from '../bench-tools.js'
import { median } from '../measure.js'
import { type Ground, settled } from './ground.js'

export interface Kills {
  readonly kills: number
  /** From a kill to the next new record of the process started at once after it. */
  readonly restartMs: number
  readonly caughtUp: boolean
}

const USERS = 2_000

/**
 * Kills the relay and starts it again, each time at a random moment after it has begun to send. There is always more to
 * send: the back-log is filled up before each start. Users are picked at random from few, so that one batch holds
 * several versions of one.
 */
export async function kills(ground: Ground, count: number, backLog: number): Promise<Kills> {
  const { peer, arrived } = ground
  const before = await arrived()
  const restarts: number[] = []
  let appended = 0
  for (let kill = 0; kill <= count; kill++) {
    const at = await arrived()
    // Repeats make this too small, never too large.
    const waiting = Math.max(0, appended - (at - before))
    await ground.append('kills', backLog - Math.min(backLog, waiting), { count: USERS, pick: 'random' })
    appended += backLog - Math.min(backLog, waiting)
    const startedAt = performance.now()
    await peer.process.start()
    await until('the first record after a start', async () => (await arrived()) > at)
    if (kill > 0) restarts.push(performance.now() - startedAt)
    if (kill === count) break
    const target = at + 1 + Math.floor(Math.random() * (backLog / 2))
    await until('the moment to kill', async () => (await arrived()) >= target, { everyMs: 2 })
    await peer.process.kill()
  }
  const caughtUp = await settled(ground, before + appended)
  await peer.process.stop()
  return { kills: count, restartMs: median(restarts), caughtUp }
}
