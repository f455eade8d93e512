import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { openProxy, type TcpProxy } from '../../src/stack/proxy.js'
import { until } from '../../src/stack/until.js'

let server: Server
let proxy: TcpProxy
/** What the server was told. */
let heard = ''

beforeEach(async () => {
  heard = ''
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      heard += chunk
      socket.write(String(chunk).toUpperCase())
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await openProxy({ target: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  await proxy.close()
  await new Promise((resolve) => server.close(resolve))
})

test('bytes pass both ways', async () => {
  const client = await open()
  client.say('hello')
  await client.told('HELLO')
})

test('cut: open connections end, new ones are refused, and it passes again afterwards', async () => {
  const client = await open()
  proxy.set({ kind: 'cut' })
  await client.ended()
  const refused = await open()
  await refused.ended()
  proxy.set({ kind: 'through' })
  const again = await open()
  again.say('a')
  await again.told('A')
})

test('held: the connection stays open without a byte, and what was sent arrives in order afterwards', async () => {
  const client = await open()
  proxy.set({ kind: 'held' })
  client.say('a')
  client.say('b')
  await sleep(100)
  expect([heard, client.received]).toEqual(['', ''])
  proxy.set({ kind: 'through' })
  await client.told('AB')
})

test('answers-lost: the server does what it is asked, and the client never learns of it', async () => {
  const client = await open()
  proxy.set({ kind: 'answers-lost' })
  client.say('do')
  await until({ what: 'the server has heard it', timeoutMs: 5_000 }, () => heard === 'do')
  proxy.set({ kind: 'through' })
  await client.ended()
  expect(client.received).toBe('')
})

test('slow: bytes trickle, and none is lost or swapped', async () => {
  const client = await open()
  proxy.set({ kind: 'slow', bytesPerSecond: 200 })
  client.say('0123456789')
  await client.told('0123456789')
})

test('slow: the rest passes at once when the link is good again', async () => {
  const client = await open()
  proxy.set({ kind: 'slow', bytesPerSecond: 1 })
  client.say('x'.repeat(10_000))
  await sleep(50)
  proxy.set({ kind: 'through' })
  await client.told('X'.repeat(10_000))
})

test('reset: open connections end, new ones pass', async () => {
  const client = await open()
  proxy.reset()
  await client.ended()
  const again = await open()
  again.say('a')
  await again.told('A')
})

test('divert: new connections go elsewhere until it ends', async () => {
  const other = createServer((socket) => socket.end('other')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  proxy.divert((other.address() as AddressInfo).port)
  await (await open()).told('other')
  proxy.divert(undefined)
  const again = await open()
  again.say('a')
  await again.told('A')
  await new Promise((resolve) => other.close(resolve))
})

async function open() {
  const socket: Socket = connect(proxy.port, '127.0.0.1')
  let received = ''
  let isOver = false
  socket.on('data', (chunk) => {
    received += chunk
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isOver = true
  })
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {})
  return {
    say: (text: string) => void socket.write(text),
    get received() {
      return received
    },
    told: (text: string) => until({ what: `told ${text.slice(0, 20)}`, timeoutMs: 10_000 }, () => received === text),
    ended: () => until({ what: 'the connection ends', timeoutMs: 10_000 }, () => isOver),
  }
}
