import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What a proxy does to the bytes. `through` lets them pass. `cut` ends every connection and refuses new ones. `held` keeps
 * connections open and lets nothing pass, either way (a half-open peer); what was sent meanwhile arrives afterwards, as TCP
 * would have it. `answers-lost` lets requests pass and no answer; the connections end with the toxic. `slow` passes
 * `bytesPerSecond`; `late` passes everything `ms` later.
 */
export type Toxic =
  | { readonly kind: 'through' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'held' }
  | { readonly kind: 'answers-lost' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  | { readonly kind: 'late'; readonly ms: number }

/** A TCP proxy on loopback between one client and what it needs. */
export interface TcpProxy {
  readonly port: number
  /** Connections that are open now. */
  readonly connections: number
  set(toxic: Toxic): void
  /** New connections go to another port; undefined: to the target again. Open ones end. */
  divert(port: number | undefined): void
  /** Ends every open connection with a reset; new ones pass. */
  reset(): void
  close(): Promise<void>
}

export async function openProxy({ target, port = 0 }: { target: number; port?: number }): Promise<TcpProxy> {
  let toxic: Toxic = { kind: 'through' }
  let diverted: number | undefined
  let changed = latch()
  const pairs = new Set<Pair>()

  const server = createServer({ allowHalfOpen: false }, (client) => {
    if (toxic.kind === 'cut') return void client.resetAndDestroy()
    const upstream = tcpConnect({ host: '127.0.0.1', port: diverted ?? target })
    const pair: Pair = { client, upstream }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      socket.on('error', end)
    }
    void pump(client, upstream, 'request').then(end, end)
    void pump(upstream, client, 'answer').then(end, end)
  })

  async function pump(from: Socket, to: Socket, direction: 'request' | 'answer'): Promise<void> {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      await passWhenMay(chunk, to, direction)
      if (to.destroyed) return
    }
  }

  async function passWhenMay(chunk: Buffer, to: Socket, direction: 'request' | 'answer'): Promise<void> {
    for (;;) {
      const present = toxic
      if (present.kind === 'held' || (present.kind === 'answers-lost' && direction === 'answer')) {
        await changed.opened
        continue
      }
      if (present.kind === 'slow') return drip(chunk, to, present)
      if (present.kind === 'late') await sleep(present.ms)
      await write(to, chunk)
      return
    }
  }

  async function drip(chunk: Buffer, to: Socket, present: Toxic & { kind: 'slow' }): Promise<void> {
    const pauseMs = Math.max(1, Math.floor(1000 / present.bytesPerSecond))
    const size = Math.max(1, Math.floor((present.bytesPerSecond * pauseMs) / 1000))
    let at = 0
    for (; at < chunk.length && toxic === present && !to.destroyed; at += size) {
      await write(to, chunk.subarray(at, at + size))
      await Promise.race([sleep(pauseMs), changed.opened])
    }
    if (at < chunk.length) await write(to, chunk.subarray(at))
  }

  function reset(): void {
    for (const { client, upstream } of [...pairs]) {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
  }

  await listen(server, port)
  return {
    port: (server.address() as { port: number }).port,
    get connections() {
      return pairs.size
    },
    set(next) {
      const losesAnswers = toxic.kind === 'answers-lost'
      toxic = next
      if (next.kind === 'cut' || losesAnswers) reset()
      const before = changed
      changed = latch()
      before.open()
    },
    divert(port) {
      diverted = port
      reset()
    },
    reset,
    async close() {
      toxic = { kind: 'cut' }
      reset()
      changed.open()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function latch(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
}

function write(to: Socket, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (to.destroyed) return resolve()
    to.write(chunk, () => resolve())
  })
}
