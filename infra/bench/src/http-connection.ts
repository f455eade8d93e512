import { connect, type Socket } from 'node:net'

/** One kept-alive connection that sends one request at a time: a load generator must not be what is measured. */
export interface HttpConnection {
  send(method: 'POST' | 'PATCH', path: string, json: string): Promise<HttpAnswer>
  close(): void
}

export interface HttpAnswer {
  readonly status: number
  /** Status line and headers as they came. */
  readonly head: string
}

export async function openHttpConnection(port: number): Promise<HttpConnection> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const answered = readAnswers(socket)
  return {
    send(method, path, json) {
      const answer = answered()
      socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
      )
      return answer
    },
    close: () => socket.destroy(),
  }
}

/** Every answer of these servers has a content-length; one without is an error. */
function readAnswers(socket: Socket): () => Promise<HttpAnswer> {
  let read = ''
  let waiting: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | undefined
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    read += chunk
    const headEnd = read.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = read.slice(0, headEnd)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) return waiting?.reject(new Error(`an answer without a length: ${head}`))
    if (read.length < headEnd + 4 + Number(length)) return
    read = ''
    waiting?.resolve({ status: Number(head.slice(9, 12)), head })
  })
  socket.on('error', (error) => waiting?.reject(error))
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')))
  return () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject }
    })
}
