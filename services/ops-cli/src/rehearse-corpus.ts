import { z } from 'zod'
import { projectionPath } from './projection-path.js'
import { readProjections } from './projection-status.js'
import type { RegisteredVersion } from './registered-versions.js'
import type { ServiceClient } from './service-client.js'

/** What a projection does not take. */
export interface RehearsalFailure {
  readonly projection: string
  readonly subject: string
  readonly version: number
  readonly code: string
  readonly message: string
}

const rehearsal = z.object({ outcomes: z.array(z.object({ code: z.string(), message: z.string() }).nullable()) })

/**
 * Has each projection of a service run the corpus' events of every registered version, as they would stand in the topic, in
 * transactions that are rolled back.
 *
 * @returns the names of the projections, and what they do not take.
 */
export async function rehearseCorpus(
  service: ServiceClient,
  versions: readonly RegisteredVersion[],
): Promise<{ projections: string[]; failures: RehearsalFailure[] }> {
  const samples = versions.flatMap((version) =>
    (version.frozen?.samples ?? []).map((sample) => ({ version, value: framed(version.id, sample) })),
  )
  const projections = (await readProjections(service)).map(({ name }) => name)
  const failures: RehearsalFailure[] = []
  for (const projection of samples.length === 0 ? [] : projections) {
    for (let first = 0; first < samples.length; first += PAGE) {
      const page = samples.slice(first, first + PAGE)
      const body = { values: page.map(({ value }) => value) }
      const { outcomes } = await service.post(projectionPath(projection, 'rehearse'), rehearsal, body)
      for (const [index, failure] of outcomes.entries()) {
        const of = page[index]?.version
        if (failure !== null && of !== undefined) {
          failures.push({ projection, subject: of.subject, version: of.version, ...failure })
        }
      }
    }
  }
  return { projections, failures }
}

const PAGE = 200

function framed(id: number, sample: string): string {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, Buffer.from(sample, 'base64')]).toString('base64')
}
