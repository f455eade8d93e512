#!/usr/bin/env node
// `npm start`. Plain JavaScript without dependencies: it runs on a fresh clone, before anything is installed.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { installAndBuild, RUNNING_PARTS, root } from './build.mjs'
import { createProgress } from './progress.mjs'
import { endRunning } from './run.mjs'

const HELP = `usage: npm start [-- --fresh]

Installs and builds what is missing, starts Postgres, Kafka, the schema registry and the services,
keeps them alive, and stops them on Ctrl-C.

  --fresh   throw the data of earlier starts away
  --help    this page

Ports and providers are set by environment variables: see infra/dev/README.md.`

const begunAt = Date.now()
const { fresh, help } = readFlags()
if (help) {
  console.log(HELP)
  process.exit(0)
}
const progress = createProgress()
let system
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(signal))

try {
  await installAndBuild(progress, RUNNING_PARTS)
  const { loadStackConfig, startLocalSystem } = await import('@rollcall/dev')
  system = await startLocalSystem({
    root,
    stateDir: resolve(process.env.ROLLCALL_STATE_DIR ?? resolve(root, '.rollcall')),
    config: loadStackConfig(),
    fresh,
    step: progress.step,
    report: (line) => progress.report(system ? `${new Date().toLocaleTimeString()} ${line}` : line),
  })
  if (stopping) await stopSystem()
  else welcome(system)
} catch (error) {
  if (!stopping) {
    console.error(`\n${error.message}`)
    process.exit(1)
  }
}

function readFlags() {
  try {
    const { values } = parseArgs({ options: { fresh: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
    return { fresh: values.fresh ?? false, help: values.help ?? false }
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`)
    process.exit(2)
  }
}

function welcome({ endpoints, places }) {
  const width = Math.max(...places.map(({ title }) => title.length))
  console.log(`\nRollcall is ready after ${((Date.now() - begunAt) / 1000).toFixed(1)} s.\n`)
  for (const { title, address } of places) console.log(`  ${title.padEnd(width)}  ${address}`)
  if (endpoints.registry && endpoints.directory) {
    // Another name at each start: the same one twice is refused, and these lines are there to be pasted.
    const userName = `ada.${Date.now().toString(36).slice(-5)}`
    const user = {
      userName,
      emails: [{ value: `${userName}@example.com`, primary: true }],
      name: { given: 'Ada', family: 'Lovelace' },
    }
    console.log(`\nTry:\n
  curl -s ${endpoints.registry}/v1/users -H 'content-type: application/json' -d '${JSON.stringify(user)}'
  curl -s '${endpoints.directory}/v1/people?email=${userName}@example.com'
  npx rollcall status`)
  }
  console.log('\nCtrl-C stops everything; the data stays. Logs are in .rollcall/logs.\n')
}

async function stop(signal) {
  if (stopping) process.exit(130) // asked twice: the watchdog ends the children
  stopping = true
  endRunning()
  // While it starts there is nothing to stop in order yet: the watchdog ends the children when we are gone.
  if (!system) process.exit(signal === 'SIGINT' ? 130 : 143)
  await stopSystem()
}

async function stopSystem() {
  await progress.step('stop', () => system.stop())
  process.exit(0)
}
