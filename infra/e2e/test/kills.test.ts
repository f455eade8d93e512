import { join } from 'node:path'
import { killDuringImport } from '../src/drill/kill-drill.js'
import { generateCsv, startImport } from '../src/drill/paced-import.js'
import { openScene, type Scene } from '../src/drill/scene.js'
import { createShift } from '../src/drill/second-consumers.js'
import { startTraffic } from '../src/drill/traffic.js'
import { createRandom } from '../src/random.js'

const USERS = 300
const KILLS = 2
const SMALL_BATCH = 50
const victims = ['registry', 'relay', 'directory'] as const

let scene: Scene

beforeAll(async () => {
  scene = await openScene(undefined, () => {})
}, 120_000)

afterAll(async () => {
  await scene?.close()
}, 60_000)

test('kill -9 of registry, relay and directory during an import loses nothing and doubles nothing', async () => {
  const csv = join(scene.directory, 'users.csv')
  await generateCsv(csv, USERS, 1)
  const traffic = startTraffic({ registry: scene.endpoints.registry as string, random: createRandom(2) })
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
  await scene.quiet(60_000)
  const { counts, violations } = await scene.check(traffic.journal)

  expect(violations.samples).toEqual([])
  expect({ imported: created + unchanged, failed }).toEqual({ imported: USERS, failed: 0 })
  expect(recoveries.map(({ victim }) => victim)).toEqual([...victims, ...victims])
  expect(counts.users).toBeGreaterThanOrEqual(USERS)
  expect(counts.changes).toBeGreaterThan(counts.users)
  expect(traffic.journal.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(0)
  // Asked again under its idempotency key, every creation was answered in the end.
  expect(traffic.journal.filter(({ outcome, userId }) => outcome === 'unknown' && userId === '')).toEqual([])
}, 120_000)
