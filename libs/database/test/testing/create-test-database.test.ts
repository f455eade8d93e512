import { createTestDatabase } from '../../src/testing/index.js'
import { outsideSources } from './sources.js'

test('test databases come migrated, and see nothing of each other', async () => {
  const migrations = await outsideSources()
  const [one, other] = await Promise.all([createTestDatabase({ migrations }), createTestDatabase({ migrations })])
  try {
    await one.pool.query('INSERT INTO shop.item VALUES (1)')
    expect((await other.pool.query('SELECT * FROM shop.item')).rows).toEqual([])
  } finally {
    await one.close()
    await other.close()
  }
})

test('a connection that is never released fails the file that leaks it', async () => {
  const database = await createTestDatabase()
  await database.pool.connect()
  await expect(database.close()).rejects.toMatchObject({
    code: 'ERR_TEST_CONNECTION_LEAKED',
    facts: { applications: ['test pool'] },
  })
})
