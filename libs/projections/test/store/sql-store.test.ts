import { userLifecycle } from '@rollcall/events'
import { pgStore } from '../../src/index.js'
import { byTable, type Fixture, fixture, until } from '../support.js'

let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

test('a first claim that meets a cut-over is made on the side that is live after it', async () => {
  const { pool } = fixed
  const store = pgStore(pool)
  await store.register(byTable(), userLifecycle.name)
  const cutOver = await pool.connect()
  try {
    await cutOver.query('BEGIN')
    await cutOver.query("UPDATE projections.projection SET name = 'by-table~prev' WHERE name = 'by-table'")
    await cutOver.query("INSERT INTO projections.projection (name, version, topic) VALUES ('by-table', 1, $1)", [
      userLifecycle.name,
    ])
    const claiming = store.claim('by-table', 'me', new Map([[0, 7]]))
    await until(async () => {
      const { rows } = await pool.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO projections.checkpoint%' AND datname = current_database()",
      )
      return rows.length === 1
    })
    await cutOver.query('COMMIT')
    expect(await claiming).toMatchObject([{ name: 'by-table', partition: 0, position: 7 }])
  } finally {
    cutOver.release()
  }
})
