import { connect, type Socket } from 'node:net'

/** One kept-alive connection that sends one request at a time: a load generator must not be what is measured. */
export interface HttpConnection {
  /** Posts JSON; answers the status. */
  post(path: string, body: string): Promise<number>
  close(): void
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
    post(path, body) {
      const answer = answered()
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      )
      return answer
    },
    close: () => socket.destroy(),
  }
}

/** Every answer of these servers has a content-length; one without is an error. */
function readAnswers(socket: Socket): () => Promise<number> {
  let read = ''
  let waiting: { resolve: (status: number) => void; reject: (error: Error) => void } | undefined
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
    waiting?.resolve(Number(head.slice(9, 12)))
  })
  socket.on('error', (error) => waiting?.reject(error))
  socket.on('close', () => waiting?.reject(new Error('the server closed the connection')))
  return () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject }
    })
}
