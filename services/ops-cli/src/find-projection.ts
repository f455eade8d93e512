import { UsageInvalidError } from './command-errors.js'
import { type ProjectionStatus, readProjections } from './projection-status.js'
import type { ServiceClient } from './service-client.js'

/** @throws UsageInvalidError naming the projections there are */
export async function findProjection(client: ServiceClient, name: string): Promise<ProjectionStatus> {
  const all = await readProjections(client)
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new UsageInvalidError(`No projection is called ${name}; there are ${all.map((one) => one.name).join(', ')}.`)
}
