import { createUserTurns } from '../../src/users/user-turns.js'

const gate = () => {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

test('commands on one user run one at a time, in the order they came; those on others run beside', async () => {
  const takeTurns = createUserTurns()
  const first = gate()
  const order: string[] = []
  const slow = takeTurns('ada', async () => {
    await first.opened
    order.push('ada 1')
  })
  const next = takeTurns('ada', async () => void order.push('ada 2'))
  await takeTurns('bob', async () => void order.push('bob'))
  first.open()
  await Promise.all([slow, next])
  expect(order).toEqual(['bob', 'ada 1', 'ada 2'])
})

test('a command that fails does not hold up the next', async () => {
  const takeTurns = createUserTurns()
  const failing = takeTurns('ada', () => Promise.reject(new Error('refused')))
  const next = takeTurns('ada', async () => 'done')
  await expect(failing).rejects.toThrow('refused')
  await expect(next).resolves.toBe('done')
})

test('what one leaves is there for those that wait, and forgotten when nobody does', async () => {
  const takeTurns = createUserTurns()
  const written = { user: {}, statusBeforeDeletion: null } as never
  const first = takeTurns('ada', async (turn) => {
    turn.written = written
  })
  const second = takeTurns('ada', async (turn) => turn.written)
  await first
  expect(await second).toBe(written)
  expect(await takeTurns('ada', async (turn) => turn.written)).toBeUndefined()
})
