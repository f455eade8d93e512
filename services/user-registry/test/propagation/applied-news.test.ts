import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AppliedNews, appliedNews } from '../../src/propagation/applied-news.js'
import type { Subscriber } from '../../src/propagation/subscribers.js'

let server: Server
let url: string
let streams: ServerResponse[]
let news: AppliedNews

beforeEach(async () => {
  streams = []
  news = appliedNews()
  server = createServer((request, response) => {
    if (request.url !== '/admin/projections/people/applied') return response.writeHead(404).end()
    streams.push(response)
    response.write('{}\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  news.close()
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
})

const subscriber = (...urls: (string | undefined)[]): Subscriber => ({
  service: 'directory',
  projection: 'people',
  instances: urls.map((at, index) => ({
    instance: String(index),
    url: at,
    isLive: true,
    heardAt: new Date(0),
    partitions: [],
  })),
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('a stream is opened when a subscriber is asked for, once, and tells whoever listens for the user', async () => {
  const directory = subscriber(url)
  expect(news.isHeard(directory)).toBe(false)
  await until(() => news.isHeard(directory))
  expect(streams).toHaveLength(1)
  const heard: unknown[] = []
  const stop = news.listen('u1', (...said) => heard.push(said))
  streams[0]?.write('{"u1":3,"u2":1}\n{"u1"')
  streams[0]?.write(':4}\n')
  await until(() => heard.length === 2)
  expect(heard).toEqual([
    ['directory/people', 3],
    ['directory/people', 4],
  ])
  stop()
  const other = new Promise<void>((resolve) => news.listen('u2', () => resolve()))
  streams[0]?.write('{"u1":5,"u2":2}\n')
  await other
  expect(heard).toHaveLength(2)
})

test('a subscriber is heard only when every live process of it is', async () => {
  const half = subscriber(url, 'http://127.0.0.1:9')
  news.isHeard(half)
  await until(() => news.isHeard(subscriber(url)))
  expect(news.isHeard(half)).toBe(false)
  expect(news.isHeard(subscriber(url, undefined))).toBe(false)
  expect(news.isHeard(subscriber())).toBe(false)
})

test('a stream that ends is no longer heard, and opened again', async () => {
  const directory = subscriber(url)
  await until(() => news.isHeard(directory))
  streams[0]?.end()
  await until(() => !news.isHeard(directory))
  await until(() => news.isHeard(directory))
  expect(streams).toHaveLength(2)
})

test('a stream of nonsense is not listened to', async () => {
  const directory = subscriber(url)
  await until(() => news.isHeard(directory))
  const closed = new Promise((resolve) => streams[0]?.once('close', resolve))
  streams[0]?.write('{"u1":"three"}\n')
  await closed
  await until(() => !news.isHeard(directory))
})

test('closing hangs up', async () => {
  const directory = subscriber(url)
  await until(() => news.isHeard(directory))
  const closed = new Promise((resolve) => streams[0]?.once('close', resolve))
  news.close()
  await closed
})
