import { z } from 'zod'
import { decodeCursor, encodeCursor } from '../src/cursor.js'

const position = z.strictObject({ sort: z.literal('userName'), after: z.string() })

test('a cursor comes back as the position it was made of', () => {
  const cursor = encodeCursor({ sort: 'userName', after: 'Þóra & 小雨' })
  expect(cursor).toMatch(/^[\w-]+$/)
  expect(decodeCursor(cursor, position)).toEqual({ sort: 'userName', after: 'Þóra & 小雨' })
})

test.each([
  ['empty', ''],
  ['not base64url', 'a+b/'],
  ['not JSON', Buffer.from('{').toString('base64url')],
  ['of another listing', encodeCursor({ sort: 'createdAt', after: 'x' })],
  ['with more in it', encodeCursor({ sort: 'userName', after: 'x', admin: true })],
  ['too long', encodeCursor({ sort: 'userName', after: 'x'.repeat(4_000) })],
])('a cursor that is %s is refused', (_what, cursor) => {
  expect(() => decodeCursor(cursor, position)).toThrow(expect.objectContaining({ code: 'ERR_CURSOR_INVALID' }))
})
