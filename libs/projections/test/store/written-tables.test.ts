import { withTransaction } from '@rollcall/database'
import { writtenTables } from '../../src/store/written-tables.js'
import { type Fixture, fixture, ownPool } from '../support.js'

let fixed: Fixture
beforeEach(async () => {
  fixed = await fixture()
})
afterEach(() => fixed.close())

const USER = '00000000-0000-4000-8000-000000000001'

test('what one transaction has written is told, and nothing that an earlier one of the same connection did', async () => {
  const pool = ownPool(fixed, 'written', 1)
  const written = (...statements: readonly string[]) =>
    withTransaction(pool, async (client) => {
      for (const statement of statements) await client.query(statement)
      return (await writtenTables({ sql: client })).map(({ fullName }) => fullName)
    })
  try {
    expect(await written(`INSERT INTO seen VALUES ('${USER}', 1)`)).toEqual(['public.seen'])
    expect(await written('SELECT * FROM seen FOR UPDATE', `DELETE FROM person WHERE user_id = '${USER}'`)).toEqual([
      'public.person',
    ])
    expect(await written('SELECT 1')).toEqual([])
    expect(await written('SAVEPOINT s', 'UPDATE seen SET events = 2', 'ROLLBACK TO s')).toEqual([])
  } finally {
    await pool.end()
  }
})
