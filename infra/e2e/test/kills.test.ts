import { join } from 'node:path'
import { decodeRecordBody, encodeRecordBody, partitionOf } from '@rollcall/kafka'
import { killDuringImport } from '../src/drill/kill-drill.js'
import { generateCsv, startImport } from '../src/drill/paced-import.js'
import { openScene, type Scene } from '../src/drill/scene.js'
import { createShift } from '../src/drill/second-consumers.js'
import { startTraffic } from '../src/drill/traffic.js'
import { createRandom } from '../src/random.js'
import { sendRecord } from './support/send-record.js'

const USERS = 300
const KILLS = 2
const SMALL_BATCH = 50
const victims = ['registry', 'relay', 'directory'] as const

let scene: Scene

beforeAll(async () => {
  scene = await openScene({ report: () => {} })
}, 120_000)

afterAll(async () => {
  await scene?.close()
}, 60_000)

test('kill -9 of registry, relay and directory during an import loses nothing and doubles nothing', async () => {
  const csv = join(scene.directory, 'users.csv')
  await generateCsv(csv, USERS, 1)
  const traffic = startTraffic({ registry: scene.endpoints.registry as string, random: createRandom(2) })
  const echo = scene.echo()
  const importing = startImport(csv, scene.endpointsPath, SMALL_BATCH)

  const recoveries = await killDuringImport({
    victims: victims.map((name) => scene.victim(name)),
    killsPerVictim: KILLS,
    users: USERS,
    importing,
    random: createRandom(3),
    // A second directory and a second counter join, are killed, and join again meanwhile.
    beforeKill: createShift(scene, () => {}),
    report: () => {},
  })
  const { created, unchanged, failed } = await importing.finish()
  await traffic.stop()
  const echoes = await echo.stop()
  await scene.quiet(60_000)
  const { counts, violations } = await scene.check(traffic.journal)

  expect(violations.samples).toEqual([])
  expect({ imported: created + unchanged, failed }).toEqual({ imported: USERS, failed: 0 })
  expect(recoveries.map(({ victim }) => victim)).toEqual([...victims, ...victims])
  expect(counts.users).toBeGreaterThanOrEqual(USERS)
  expect(counts.changes).toBeGreaterThan(counts.users)
  expect(echoes).toBeGreaterThan(0)
  expect(counts.duplicates).toBeGreaterThanOrEqual(echoes)
  expect(traffic.journal.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(0)
  // Asked again under its idempotency key, every creation was answered in the end.
  expect(traffic.unanswered).toEqual([])
}, 120_000)

test("the checker sees what is done to the real stores behind the services' backs", async () => {
  const { registry, directory, counters } = scene.databases
  const { rows } = await directory.query<{ user_id: string }>('SELECT user_id FROM person ORDER BY user_id LIMIT 3')
  const [gone, changed, ahead] = rows.map(({ user_id }) => user_id) as [string, string, string]
  await directory.query('DELETE FROM person WHERE user_id = $1', [gone])
  await directory.query(`UPDATE person SET timezone = 'Mars/Olympus' WHERE user_id = $1`, [changed])
  await directory.query('UPDATE projections.applied_version_people SET version = version + 1 WHERE key = $1', [ahead])
  await counters[0]?.query('UPDATE effect SET count = count + 1 WHERE user_id = $1', [ahead])
  await registry.query(
    `INSERT INTO audit.entry (tenant_id, actor, action, target_type, target_id, target_version, correlation_id, outcome)
     SELECT tenant_id, actor, action, target_type, target_id, target_version, correlation_id, outcome
     FROM audit.entry WHERE target_id = $1 LIMIT 1`,
    [changed],
  )
  const outbox = await registry.query<{ record: Buffer }>(
    'SELECT record FROM outbox.message WHERE aggregate_id = $1 AND version = 1',
    [changed],
  )
  const { key, value, headers } = decodeRecordBody(outbox.rows[0]?.record ?? Buffer.alloc(0))
  const forged = encodeRecordBody({ key, value, headers: { ...headers, traceparent: 'forged' } })
  await sendRecord(scene.endpoints.kafka, partitionOf(Buffer.from(changed), 12), forged)

  const { violations } = await scene.check([])
  const seen = violations.samples.map(({ invariant, rule, userId }) => [invariant, rule, userId])

  expect(seen.sort()).toEqual(
    [
      ['G8', 'change audited twice', changed],
      ['I3', 'duplicate differs', changed],
      ['I4', 'applied version differs', ahead],
      ['I4', 'person differs', changed],
      ['I4', 'person missing', gone],
      ['I5', 'effects counted differ', ahead],
    ].sort(),
  )
})
