import { PrismaPg } from '@prisma/adapter-pg'
import type { Pool } from './sql.js'

/**
 * Lets a Prisma client run on the pool's connections; closing the client leaves the pool open.
 *
 * @param schema where the client's models are @default public
 */
export function prismaAdapter(pool: Pool, schema?: string): PrismaPg {
  return new PrismaPg(pool, { disposeExternalPool: false, ...(schema === undefined ? {} : { schema }) })
}
