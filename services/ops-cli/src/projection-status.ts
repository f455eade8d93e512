import { z } from 'zod'
import type { ServiceClient } from './service-client.js'

const projection = z.object({
  name: z.string(),
  version: z.number(),
  topic: z.string(),
  state: z.enum(['running', 'paused', 'rebuilding']),
  lagRecords: z.number(),
  lagSeconds: z.number(),
  parkedUsers: z.number(),
  partitions: z.array(
    z.object({
      partition: z.number(),
      position: z.number(),
      highWatermark: z.number(),
      lagRecords: z.number(),
      state: z.enum(['running', 'paused', 'stopped', 'unclaimed']),
      failure: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
  rebuild: z
    .object({
      kind: z.string(),
      phase: z.string(),
      events: z.number(),
      total: z.number(),
      startedAt: z.string(),
      finishedAt: z.string().optional(),
      error: z.string().optional(),
    })
    .nullable(),
})

export type ProjectionStatus = z.output<typeof projection>

/** The projections that run in a service. */
export async function readProjections(client: ServiceClient): Promise<ProjectionStatus[]> {
  return (await client.get('/admin/projections', z.object({ items: z.array(projection) }))).items
}

/** The partitions that stand still on a failure. */
export const stoppedOf = ({ partitions }: ProjectionStatus) => partitions.filter(({ state }) => state === 'stopped')
