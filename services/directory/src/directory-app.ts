import { isTransientDatabaseError } from '@rollcall/database'
import { type App, createApp } from '@rollcall/http'
import type { Logger, Metrics } from '@rollcall/observability'
import type { RunningProjections } from '@rollcall/projections'
import { addProjectionAdmin, PROJECTION_PROBLEMS } from '@rollcall/projections/admin'
import type { PrismaClient } from './generated/client.js'
import { addPeopleRoutes } from './people/people-routes.js'

export interface DirectoryAppOptions {
  readonly prisma: PrismaClient
  readonly projections: RunningProjections
  readonly logger: Logger
  readonly metrics: Metrics
  readonly readiness?: Readonly<Record<string, () => Promise<void>>>
  /** @default 2000 */
  readonly atLeastWaitMs?: number
}

/** Builds the directory's HTTP application; it listens to nothing yet. */
export async function createDirectoryApp(options: DirectoryAppOptions): Promise<App> {
  const { prisma, projections, logger, metrics, readiness = {}, atLeastWaitMs = 2_000 } = options
  const app = await createApp({
    service: 'directory',
    version: '0.1.0',
    logger,
    metrics,
    readiness,
    problems: { ERR_PERSON_NOT_FOUND: 404, ...PROJECTION_PROBLEMS },
    isTransient: isTransientDatabaseError,
    openapi: { title: 'Rollcall directory', description: 'Searchable people, projected from the user registry.' },
  })
  addPeopleRoutes(app, { prisma, projections, waitMs: atLeastWaitMs })
  addProjectionAdmin(app, projections)
  return app
}
