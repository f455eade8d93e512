import { withTransaction } from '@rollcall/database'
import { createTestDatabase, type TestDatabase } from '@rollcall/database/testing'
import { auditMigrations } from '../src/audit-migrations.js'
import { type AuditEntry, recordAudit } from '../src/record-audit.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase({ migrations: [auditMigrations] })
})

afterAll(() => database.close())

const entry: AuditEntry = {
  tenantId: 'default',
  actor: { type: 'service', id: 'local' },
  action: 'user.suspend',
  targetType: 'user',
  targetId: '01934f6e-0000-7000-8000-000000000001',
  targetVersion: 2,
  correlationId: 'request-1',
  outcome: 'done',
  before: { status: 'active' },
  after: { status: 'suspended' },
}

test('entries are kept in the order given, with everything they tell', async () => {
  const denied: AuditEntry = {
    tenantId: 'default',
    actor: { type: 'user', id: 'someone' },
    action: 'user.delete',
    targetType: 'user',
    targetId: entry.targetId,
    correlationId: 'request-2',
    outcome: 'denied',
  }
  await recordAudit(database.pool, [entry, denied])
  const { rows } = await database.pool.query(
    'SELECT action, target_version, correlation_id, outcome, before, after, actor FROM audit.entry ORDER BY id',
  )
  expect(rows).toEqual([
    {
      action: 'user.suspend',
      target_version: 2,
      correlation_id: 'request-1',
      outcome: 'done',
      before: { status: 'active' },
      after: { status: 'suspended' },
      actor: { type: 'service', id: 'local' },
    },
    {
      action: 'user.delete',
      target_version: null,
      correlation_id: 'request-2',
      outcome: 'denied',
      before: null,
      after: null,
      actor: { type: 'user', id: 'someone' },
    },
  ])
})

test('an entry is gone with the transaction that wrote it', async () => {
  const attempt = withTransaction(database.pool, async (client) => {
    await recordAudit(client, [{ ...entry, correlationId: 'rolled back' }])
    throw new Error('the change failed')
  })
  await expect(attempt).rejects.toThrow('the change failed')
  const { rowCount } = await database.pool.query("SELECT 1 FROM audit.entry WHERE correlation_id = 'rolled back'")
  expect(rowCount).toBe(0)
})

test.each(['UPDATE audit.entry SET action = $$user.read$$', 'DELETE FROM audit.entry', 'TRUNCATE audit.entry'])(
  'an entry cannot be changed: %s',
  async (statement) => {
    await expect(database.pool.query(statement)).rejects.toThrow('append-only')
  },
)

test('an unknown outcome is refused', async () => {
  await expect(recordAudit(database.pool, [{ ...entry, outcome: 'perhaps' as 'done' }])).rejects.toThrow('outcome')
})
