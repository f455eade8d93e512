import fc from 'fast-check'
import { batchLines } from '../../src/import/batch-lines.js'
import { importedUserId, isUuidV7 } from '../../src/import/import-id.js'
import { contentHash, parseLine } from '../../src/import/parse-line.js'
import { createLineSplitter } from '../../src/import/read-lines.js'
import { userProfile } from '../../src/users/user-profile.js'

const IMPORT = '019ab2f4-6c00-7e9a-b1d0-5f2b8c1d2e3f'

function split(chunks: readonly Buffer[], maxLineBytes = 10, firstLine = 1) {
  const splitter = createLineSplitter(firstLine, maxLineBytes)
  const lines = chunks.flatMap((chunk) => [...splitter.push(chunk)])
  const rest = splitter.rest()
  return [...lines, ...(rest === undefined ? [] : [rest])].map(({ line, bytes }) => [line, bytes?.toString() ?? null])
}

test('lines end with LF or CRLF, the last one with nothing; blank ones count', () => {
  expect(split([Buffer.from('a\r\nb\n\nc')], 10, 7)).toEqual([
    [7, 'a'],
    [8, 'b'],
    [9, ''],
    [10, 'c'],
  ])
})

test('a line is the same wherever the network cut it', () => {
  const text = Buffer.from('{"a":"é"}\r\n0123456789\n01234567890\n\nlast')
  const whole = split([text])
  expect(whole).toEqual([
    [1, '{"a":"é"}'],
    [2, '0123456789'],
    [3, null],
    [4, ''],
    [5, 'last'],
  ])
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), text.length]
      expect(split(at.slice(1).map((end, index) => text.subarray(at[index], end)))).toEqual(whole)
    }),
  )
})

test('an endless line is not kept, and the line after it is read', () => {
  const chunks = [...Array.from({ length: 1_000 }, () => Buffer.alloc(1_000, 'x')), Buffer.from('\nok\n')]
  expect(split(chunks)).toEqual([
    [1, null],
    [2, 'ok'],
  ])
})

test('batches are full while input is plenty, and a trickle is not held back', async () => {
  async function* input() {
    yield Buffer.from('1\n2\n3\n4\n5\n')
    await new Promise((resolve) => setTimeout(resolve, 60))
    yield Buffer.from('6\n')
  }
  const sizes: number[] = []
  const options = { firstLine: 1, maxLineBytes: 10, maxLines: 2, lingerMs: 5 }
  for await (const batch of batchLines(input(), options)) sizes.push(batch.length)
  expect(sizes).toEqual([2, 2, 1, 1])
})

test('who stops reading batches stops the input', async () => {
  let stopped = false
  async function* input() {
    try {
      for (;;) yield Buffer.from('1\n')
    } finally {
      stopped = true
    }
  }
  for await (const _ of batchLines(input(), { firstLine: 1, maxLineBytes: 10, maxLines: 1 })) break
  expect(stopped).toBe(true)
})

test.each([
  ['', undefined],
  ['  \t', undefined],
  ['{"userName":', 'ERR_LINE_MALFORMED'],
  ['"ada"', 'ERR_USER_INVALID'],
  ['{"userName":"ada","id":"x"}', 'ERR_USER_INVALID'],
])('the line %j gives %s', (text, code) => {
  const parsed = parseLine({ line: 1, bytes: Buffer.from(text) })
  expect(parsed && 'error' in parsed ? parsed.error.code : undefined).toBe(code)
})

test('bytes that are no UTF-8, and a byte order mark, are told apart', () => {
  expect(parseLine({ line: 1, bytes: Buffer.from([0x22, 0xff, 0x22]) })).toMatchObject({
    error: { code: 'ERR_LINE_MALFORMED' },
  })
  expect(parseLine({ line: 1, bytes: Buffer.from('\ufeff{"userName":"ada"}') })).toMatchObject({
    profile: { userName: 'ada' },
  })
})

test('the same content has the same hash, however it is written', () => {
  const hash = (document: unknown) => contentHash(userProfile.parse(document)).toString('hex')
  expect(hash({ userName: 'a', attributes: { x: 1, y: 2 } })).toBe(
    hash({ attributes: { y: 2, x: 1 }, userName: 'a', phone: null }),
  )
  expect(hash({ userName: 'a' })).not.toBe(hash({ userName: 'A' }))
})

test('a line of an import has one id for ever: a UUIDv7 with the time of the import', () => {
  expect(importedUserId(IMPORT, 1)).toBe(importedUserId(IMPORT, 1))
  const ids = Array.from({ length: 2_000 }, (_, at) => importedUserId(IMPORT, at + 1))
  expect(new Set(ids).size).toBe(2_000)
  expect(ids.every((id) => isUuidV7(id) && id.slice(0, 13) === IMPORT.slice(0, 13))).toBe(true)
  expect(importedUserId('019ab2f4-6c00-7e9a-b1d0-5f2b8c1d2e40', 1)).not.toBe(ids[0])
})
