import { PrismaPg } from '@prisma/adapter-pg'
import type { Pool } from './sql.js'

/** Lets a Prisma client run on the pool's connections; closing the client leaves the pool open. */
export function prismaAdapter(pool: Pool): PrismaPg {
  return new PrismaPg(pool, { disposeExternalPool: false })
}
