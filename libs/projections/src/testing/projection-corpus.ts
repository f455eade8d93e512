import type { Topic } from '@rollcall/events'
import { type CorpusEntry, corpusOf } from '@rollcall/events/corpus'
import { effectsOf } from '../apply/apply-effects.js'
import type { ProjectedEvent, Projection } from '../define-projection.js'
import { rehearse } from '../parking/rehearse.js'
import type { ProjectionStore } from '../store/projection-store.js'

export interface ProjectionCorpusOptions<E extends ProjectedEvent, Tx> {
  readonly projection: Projection<E, Tx>
  /** Of the events; with the schemas that this build reads them with. */
  readonly topic: Topic<E>
  /** The store the service runs with, over a real database whose tables exist. */
  readonly store: ProjectionStore<Tx>
  /** @default every schema version ever registered, as @rollcall/events knows them */
  readonly corpus?: readonly CorpusEntry[]
}

/**
 * Runs events of every schema version ever registered through a projection, as a rebuild would meet them. Nothing stays in
 * the database.
 *
 * @returns how many events of which versions were taken.
 * @throws Error naming the events that were not, with the reason for each.
 */
export async function projectionCorpus<E extends ProjectedEvent, Tx>({
  projection,
  topic,
  store,
  corpus,
}: ProjectionCorpusOptions<E, Tx>): Promise<Readonly<Record<string, number>>> {
  const found = corpusOf(topic, corpus)
  if (found.length === 0) throw new Error(`the corpus has no event of ${topic.name}`)
  const outcomes = await rehearse(
    found.map(({ event }) => event),
    { effects: effectsOf(projection), store },
  )
  const taken: Record<string, number> = {}
  const failures: string[] = []
  for (const [index, { type, schemaVersion }] of found.entries()) {
    const written = `${type} version ${schemaVersion}`
    const failure = outcomes[index]
    if (failure) failures.push(`${written}: ${failure.code}: ${failure.message}`)
    else taken[written] = (taken[written] ?? 0) + 1
  }
  if (failures.length === 0) return taken
  throw new Error(
    `projection '${projection.name}' fails on ${failures.length} of ${found.length} events of the corpus:\n${failures.join('\n')}`,
  )
}
