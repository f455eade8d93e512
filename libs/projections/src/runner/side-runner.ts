import { type Effects, effectsOf } from '../apply/apply-effects.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import { type GapHealer, type GapHealerOptions, gapHealer, type Heal } from '../parking/heal-gaps.js'
import { type Redrive, redrive } from '../parking/redrive.js'
import { type Aside, sideName, sideSchema } from '../rebuild/sides.js'
import type { ProjectionRow } from '../store/projection-store.js'
import { type ProjectionRunner, projectionRunner, type RunnerSettings } from './projection-runner.js'

export interface SideOptions<Tx> extends RunnerSettings<Tx> {
  readonly heal: Heal | undefined
  readonly state: GapHealerOptions<never, never>['state']
}

/** What the live side tells those around it. */
export interface LiveEars {
  readonly applied: (versions: ReadonlyMap<string, number>) => void
  readonly seen: (row: ProjectionRow, sides: readonly ProjectionRow[]) => void
  readonly took: (ms: number) => void
}

/** All that works on one side of a projection in this process. */
export interface RunningSide<E extends ProjectedEvent, Tx> {
  readonly effects: Effects<E, Tx>
  readonly runner: ProjectionRunner
  readonly letters: Redrive<E>
  readonly healer: GapHealer | undefined
  start(): Promise<void>
  close(): Promise<void>
}

/** @param of the live side with its listeners, or another */
export function runSide<E extends ProjectedEvent, Tx>(
  definition: Projection<E, Tx>,
  of: LiveEars | Aside,
  options: SideOptions<Tx> & { readonly decode: (value: Buffer) => E | Promise<E> },
): RunningSide<E, Tx> {
  const aside = typeof of === 'string' ? of : undefined
  const ears = typeof of === 'string' ? DEAF : of
  const { name } = definition
  const schema = aside && sideSchema(name, aside)
  const projection = aside ? { ...definition, name: sideName(name, aside) } : definition
  const store = (schema === undefined ? undefined : options.store.inSchema?.(schema)) ?? options.store
  const common = { ...options, projection, store, effects: effectsOf(projection, schema), isAside: aside !== undefined }
  const letters = redrive(common)
  const { heal } = options
  const healer = heal && gapHealer({ ...common, heal, redrive: letters })
  const runner = projectionRunner({
    ...common,
    ...ears,
    alsoSeen: aside ? [] : [sideName(name, 'next'), sideName(name, 'prev')],
    parked: () => healer?.wake(),
  })
  return {
    effects: common.effects,
    runner,
    letters,
    healer,
    async start() {
      await runner.start()
      healer?.start()
    },
    close: async () => void (await Promise.all([runner.close(), healer?.close()])),
  }
}

const DEAF: LiveEars = { applied() {}, seen() {}, took() {} }
