import { type Logger, serializeError } from '@rollcall/observability'
import { type Aside, sideName } from '../rebuild/sides.js'
import type { ProjectionRow } from '../store/projection-store.js'

export interface FollowersOptions {
  readonly projection: { readonly name: string; readonly version: number }
  readonly logger: Logger
  readonly run: (side: Aside) => Follower
}

export interface Follower {
  readonly runner: { look(): Promise<void> }
  start(): Promise<void>
  close(): Promise<void>
}

/** The runners of the sides that are not live: there while the side is, and is of this process's version. */
export interface SideFollowers {
  /** Starts and ends followers to match the sides there are. */
  match(sides: readonly ProjectionRow[]): void
  look(): Promise<void>
  close(): Promise<void>
}

export function sideFollowers({ projection, logger, run }: FollowersOptions): SideFollowers {
  const following = new Map<Aside, Follower>()
  let isClosed = false
  const tell = (side: Aside, what: string) => (error: unknown) =>
    logger.warn({ projection: projection.name, side, err: serializeError(error) }, what)

  return {
    match(sides) {
      for (const side of ['next', 'prev'] as const) {
        const row = sides.find(({ name }) => name === sideName(projection.name, side))
        const isOurs = row?.version === projection.version && row.state === 'running'
        const follower = following.get(side)
        if (isOurs && follower === undefined && !isClosed) {
          const started = run(side)
          following.set(side, started)
          started.start().catch((error: unknown) => {
            tell(side, 'projection side not followed')(error)
            // Tried again at the next look.
            following.delete(side)
            started.close().catch(tell(side, 'follower of a side not closed'))
          })
        }
        if (!isOurs && follower !== undefined) {
          following.delete(side)
          follower.close().catch(tell(side, 'follower of a side not closed'))
        }
      }
    },
    look: async () => void (await Promise.all([...following.values()].map(({ runner }) => runner.look()))),
    async close() {
      isClosed = true
      await Promise.all([...following.values()].map((one) => one.close()))
    },
  }
}
