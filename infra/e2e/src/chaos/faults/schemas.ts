import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { toErrorFacts } from '@rollcall/errors'
import { answers } from '../../stack/service-process.js'
import { until } from '../../stack/until.js'
import type { ArmedProcess } from '../armed-process.js'
import type { Fault } from '../fault.js'
import type { Stage } from '../stage.js'
import { BACK_WITHIN_MS, readyAgain, shipsAgain, tally } from './recovery.js'

const troubles = ['down', 'silent', 'late', '500', '404', 'not JSON'] as const
type Trouble = (typeof troubles)[number]

export const schemas: Fault = {
  name: 'schemas',
  matrix: 'F12',
  does: 'the schema registry is down, silent, late, or answers 500, 404 or nonsense, while registry or directory start cold',
  expects: 'what runs goes on; what starts is live, waits, and drops nothing',
  trials: { short: 3, long: 20 },
  async run(stage, { trials, random }) {
    const problems: string[] = []
    const { counts, count } = tally()
    stage.startTraffic()
    for (let trial = 0; trial < trials; trial++) {
      const trouble = troubles[trial % troubles.length] as Trouble
      const cold = (trial % 2 === 0 ? stage.consumers[trial % stage.consumers.length] : stage.registry) as ArmedProcess
      count(trouble)
      const mend = await spoil(stage, trouble)
      await cold.process.kill('SIGKILL')
      const started = cold.process.start()
      started.catch(() => {})
      await until(
        { what: `${cold.name} is live while the schema registry is ${trouble}`, timeoutMs: BACK_WITHIN_MS },
        () => answers(`${cold.process.url}/health/live`),
      ).catch((error: unknown) => problems.push(toErrorFacts(error).message))
      await sleep(random.between(300, 1_500))
      await mend()
      await started.catch((error: unknown) => problems.push(toErrorFacts(error).message))
      await readyAgain(cold, problems, `a schema registry that was ${trouble}`)
      await shipsAgain(stage, problems, `a schema registry that was ${trouble}`)
    }
    return { trials, problems, varieties: counts }
  },
}

/** Answers the function that mends it. */
async function spoil({ links }: Stage, trouble: Trouble): Promise<() => Promise<void>> {
  const both = [links['registry-schemas'], links['consumers-schemas']]
  if (trouble === 'down' || trouble === 'silent' || trouble === 'late') {
    const toxic = { down: { kind: 'cut' }, silent: { kind: 'held' }, late: { kind: 'late', ms: 400 } } as const
    for (const link of both) link.set(toxic[trouble])
    return async () => {
      for (const link of both) link.set({ kind: 'through' })
    }
  }
  const liar = await startLiar(trouble)
  const { port } = liar.address() as AddressInfo
  for (const link of both) link.divert(port)
  return async () => {
    for (const link of both) link.divert(undefined)
    liar.closeAllConnections()
    await new Promise((resolve) => liar.close(resolve))
  }
}

async function startLiar(trouble: '500' | '404' | 'not JSON'): Promise<Server> {
  const server = createServer((_, response) => {
    if (trouble === 'not JSON') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>It works!</html>')
    else response.writeHead(Number(trouble), { 'content-type': 'application/json' }).end('{"message":"no"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
