import { z } from 'zod'
import type { ServiceClient } from './service-client.js'

const row = z.record(z.string(), z.unknown()).nullable()

const proof = z.object({
  rows: z.number(),
  differing: z.number(),
  differences: z.array(z.object({ table: z.string(), key: z.string().nullable(), live: row, other: row })),
  reshaped: z.array(z.string()),
  parkedLive: z.number(),
  parkedNext: z.number(),
  tookMs: z.number(),
})

const side = z.object({
  side: z.enum(['next', 'prev']),
  version: z.number(),
  state: z.string(),
  lagRecords: z.number(),
  parkedUsers: z.number(),
  expiresAt: z.string().nullable(),
})

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
      proof: proof.optional(),
      unproven: z.string().optional(),
      duty: z.number().optional(),
    })
    .nullable(),
  sides: z.array(side).default([]),
})

export type ProjectionStatus = z.output<typeof projection>

export type Rebuild = NonNullable<ProjectionStatus['rebuild']>

/** The projections that run in a service. */
export async function readProjections(client: ServiceClient): Promise<ProjectionStatus[]> {
  return (await client.get('/admin/projections', z.object({ items: z.array(projection) }))).items
}

/** The partitions that stand still on a failure. */
export const stoppedOf = ({ partitions }: ProjectionStatus) => partitions.filter(({ state }) => state === 'stopped')
