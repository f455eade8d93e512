import { createServer } from 'node:net'
import { PortTakenError } from './stack-errors.js'

// Below the range from which systems take the local ports of outgoing connections (32768 on Linux, 49152 elsewhere):
// a server that is killed and restarted must find its port free again.
const LOWEST = 20_000
const HIGHEST = 32_000
const handedOut = new Set<number>()

/** A loopback port that is free now and was not handed out before by this process. */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (handedOut.has(port) || !(await isPortFree(port))) continue
    handedOut.add(port)
    return port
  }
  throw new Error(
    `No free port found between ${LOWEST} and ${HIGHEST} in 200 attempts; is something using all of them?`,
  )
}

/** @throws PortTakenError when something listens on 127.0.0.1 at that port. */
export async function assertPortFree(port: number, wantedBy: string, variable: string): Promise<void> {
  if (!(await isPortFree(port))) throw new PortTakenError({ port, wantedBy, variable })
}

function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)))
  })
}
