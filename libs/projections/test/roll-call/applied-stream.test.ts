import type { Readable } from 'node:stream'
import { appliedFeed } from '../../src/roll-call/applied-feed.js'
import { appliedStream } from '../../src/roll-call/applied-stream.js'

const feed = appliedFeed()
let stream: Readable
afterEach(() => stream.destroy())

const opened = (options: Parameters<typeof appliedStream>[1] = {}) => {
  let followers = 0
  stream = appliedStream(
    (listener) => {
      followers++
      const stop = feed.follow('people', listener)
      return () => {
        followers--
        return stop()
      }
    },
    { beatMs: 60_000, ...options },
  )
  return { followers: () => followers }
}

/** Resolves with the next line. */
const line = () =>
  new Promise<unknown>((resolve) => {
    stream.once('data', (chunk: Buffer) => {
      stream.pause()
      resolve(JSON.parse(chunk.toString()))
    })
    stream.resume()
  })

test('it begins with an empty line: from here on everything is told', async () => {
  opened()
  expect(await line()).toEqual({})
})

test('the commits of one moment are one line, each user with its newest version', async () => {
  opened()
  await line()
  feed.told(
    'people',
    new Map([
      ['a', 1],
      ['b', 7],
    ]),
  )
  feed.told('people', new Map([['a', 2]]))
  expect(await line()).toEqual({ a: 2, b: 7 })
})

test('what another projection applies is not told', async () => {
  opened()
  await line()
  feed.told('others', new Map([['a', 1]]))
  feed.told('people', new Map([['b', 1]]))
  expect(await line()).toEqual({ b: 1 })
})

test('a silent projection says so again and again', async () => {
  opened({ beatMs: 1 })
  expect([await line(), await line(), await line()]).toEqual([{}, {}, {}])
})

test('a reader who does not keep up is hung up on, and followed no more', async () => {
  const { followers } = opened({ mostBuffered: 64 })
  expect(followers()).toBe(1)
  for (let turn = 0; turn < 3; turn++) {
    feed.told('people', new Map([[`a user with a long name ${turn}`, turn]]))
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  }
  expect(followers()).toBe(0)
  const ended = new Promise((resolve) => stream.once('end', resolve))
  stream.resume()
  await ended
})

test('a reader who hangs up is followed no more', async () => {
  const { followers } = opened()
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.destroy()
  await closed
  expect(followers()).toBe(0)
})
