import { createConnection } from 'node:net'

/**
 * How many brokers the broker at that loopback port knows, asked by a Metadata request (version 1) written by hand: this
 * package starts Kafka and needs no client for it. 0 when it does not answer.
 */
export function countBrokers(port: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const chunks: Buffer[] = []
    const answer = (count: number) => {
      socket.destroy()
      resolve(count)
    }
    socket.setTimeout(2_000, () => answer(0))
    socket.once('error', () => answer(0))
    socket.once('close', () => answer(0))
    socket.once('connect', () => socket.write(METADATA_REQUEST))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const answered = Buffer.concat(chunks)
      // size int32, correlation id int32, number of brokers int32
      if (answered.length >= 12) answer(answered.readInt32BE(8))
    })
  })
}

const METADATA_REQUEST = request({ apiKey: 3, apiVersion: 1, body: Buffer.from([0, 0, 0, 0]) }) // an empty list of topics

function request({ apiKey, apiVersion, body }: { apiKey: number; apiVersion: number; body: Buffer }): Buffer {
  const clientId = Buffer.from('rollcall-dev')
  const head = Buffer.alloc(14)
  head.writeInt32BE(10 + clientId.length + body.length, 0)
  head.writeInt16BE(apiKey, 4)
  head.writeInt16BE(apiVersion, 6)
  head.writeInt32BE(1, 8)
  head.writeInt16BE(clientId.length, 12)
  return Buffer.concat([head, clientId, body])
}
