import { withTransaction } from '@rollcall/database'
import { step } from '@rollcall/observability'
import { haveMet, type MeetingOptions, meet, positions } from './meeting.js'
import { HOUR_MS, type RebuildProgress } from './rebuild-progress.js'
import type { Aside } from './sides.js'
import { lockSides, swapSides } from './swap-sides.js'

/**
 * The moment of change, at a meeting of both sides. Readers see the old rows until the commit and the new ones after it,
 * never fewer changes than before.
 *
 * @param progress stands in the projection's row with the same commit
 * @throws SidesApartError
 */
export async function cutOver(meeting: MeetingOptions, side: Aside, progress: RebuildProgress): Promise<void> {
  const { live: projection, other, pool } = meeting
  const { keepMs = HOUR_MS } = progress.request ?? {}
  await meet(meeting, (ends, isDeserted) =>
    withTransaction(pool, async (client) => {
      // Readers queue behind our wait for the live tables: it is short, and tried again.
      await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT_MS}ms'`)
      await lockSides(client, { projection, side })
      if (!haveMet(await positions(client, projection, other), ends, isDeserted)) return undefined
      step('rebuild.swapping')
      await swapSides(client, { projection, side, keepMs })
      await client.query(
        'UPDATE projections.projection SET rebuild = $2::jsonb, rebuild_updated_at = now() WHERE name = $1',
        [projection, JSON.stringify(progress)],
      )
      step('rebuild.swapped')
      return true
    }).catch((error: unknown) => {
      // Somebody reads for long: the runners go on meanwhile.
      if ((error as { code?: string }).code === '55P03') return undefined
      throw error
    }),
  )
  step('rebuild.cut-over')
}

const LOCK_WAIT_MS = 300
