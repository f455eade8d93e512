import { type PhysicalLine, physicalLines } from '../src/physical-lines.js'

async function linesOf(chunks: (string | Uint8Array)[], options = {}): Promise<PhysicalLine[]> {
  const lines: PhysicalLine[] = []
  async function* bytes() {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  }
  for await (const line of physicalLines(bytes(), options)) lines.push(line)
  return lines
}

const texts = (lines: PhysicalLine[]) => lines.map(({ text }) => text)

test('lines are the same however the bytes arrive', async () => {
  const text = '\uFEFFä,b\r\nзима,2\n\nlast'
  const whole = await linesOf([text])
  expect(texts(whole)).toEqual(['ä,b', 'зима,2', '', 'last'])
  for (const size of [1, 2, 3, 5, 7]) {
    const bytes = Buffer.from(text)
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
    expect(await linesOf(chunks)).toEqual(whole)
  }
})

test('reading goes on from the end of any line', async () => {
  const text = 'one\r\ntwo\nthree\n'
  const whole = await linesOf([text])
  for (const { number, endByte } of whole) {
    const rest = await linesOf([Buffer.from(text).subarray(endByte)], { afterLine: number, afterByte: endByte })
    expect(rest).toEqual(whole.slice(number))
  }
  expect(whole.at(-1)?.endByte).toBe(Buffer.byteLength(text))
})

test('a line longer than allowed is cut and marked, and the next one is whole', async () => {
  const long = 'x'.repeat(5_000)
  const lines = await linesOf([long.slice(0, 3_000), long.slice(3_000), '\nafter\n'], { maxLineBytes: 1_000 })
  expect(lines.map(({ broken, endByte }) => [broken, endByte])).toEqual([
    ['too long', 5_001],
    [undefined, 5_007],
  ])
  expect(lines[0]?.text.length).toBeLessThan(300)
  expect(lines[1]?.text).toBe('after')
})

test('bytes that are not UTF-8 are marked instead of becoming other letters', async () => {
  const [first, second] = await linesOf([Buffer.from('M\xfcller\n', 'latin1'), 'Müller'])
  expect(first?.broken).toBe('not UTF-8')
  expect(second).toMatchObject({ text: 'Müller', number: 2 })
})
