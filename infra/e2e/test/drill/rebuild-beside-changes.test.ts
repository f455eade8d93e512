import { rebuildBesideChanges } from '../../src/drill/rebuild-beside-changes.js'
import { openScene, type Scene } from '../../src/drill/scene.js'

let scene: Scene

beforeAll(async () => {
  scene = await openScene({ report: () => {} })
}, 120_000)

afterAll(async () => {
  await scene?.close()
}, 60_000)

test('a rebuild beside changes fails no read, takes none back, is proven equal, survives kill -9, and is rolled back', async () => {
  const drill = await rebuildBesideChanges(scene, {
    users: 10_000,
    seed: 1,
    perSecond: 40,
    readsPerSecond: 30,
    stretchMs: 1_000,
    report: () => {},
  })
  expect(drill.problems).toEqual([])
  expect([...drill.verdict.violations.byRule.values()]).toEqual([])
  expect(drill.rebuilds).toHaveLength(2)
  expect(Math.min(...drill.rebuilds.map(({ rowsEqual }) => rowsEqual))).toBeGreaterThanOrEqual(20_000)
  expect(drill.verified).toBe(10_000)
  expect(drill.killed).toBeDefined()
  for (const { reads, changes } of drill.stretches) expect(Math.min(reads, changes)).toBeGreaterThan(0)
}, 300_000)
