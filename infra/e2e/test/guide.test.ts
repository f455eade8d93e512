import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findFreePort } from '@rollcall/dev'
import { type OwnStack, startOwnStack } from '../src/stack/own-stack.js'
import { repositoryRoot } from '../src/stack/repository.js'
import { constantPart, type PageBlock, type PageRun, runPage } from './support/guide-page.js'

let stack: OwnStack
let root: string
let addresses: Record<string, string>

beforeAll(async () => {
  stack = await startOwnStack({ fsync: false, supervised: true })
  root = mkdtempSync(join(tmpdir(), 'rollcall-guide-'))
  mkdirSync(join(root, '.rollcall'))
  for (const name of ['node_modules', 'infra', 'package.json']) {
    symlinkSync(join(repositoryRoot, name), join(root, name))
  }
  symlinkSync(stack.endpointsPath, join(root, '.rollcall', 'endpoints.json'))
  addresses = {
    'http://127.0.0.1:7400': stack.services.registry.url,
    'http://127.0.0.1:7401': stack.services.relay.url,
    'http://127.0.0.1:7410': stack.services.directory.url,
    '7420': String(await findFreePort()),
  }
  const badges = 'services/ops-cli/guide/badges.mjs'
  mkdirSync(dirname(join(root, badges)), { recursive: true })
  writeFileSync(
    join(root, badges),
    readFileSync(join(repositoryRoot, badges), 'utf8').replaceAll('7420', addresses['7420'] ?? ''),
  )
}, 120_000)

afterAll(async () => {
  await stack?.stop()
  rmSync(root, { recursive: true, force: true })
})

const run = (page: string, before?: PageRun['before']) =>
  runPage(`services/ops-cli/guide/${page}.md`, {
    cwd: root,
    env: { NO_COLOR: '1', NODE_OPTIONS: '', npm_config_update_notifier: 'false' },
    addresses,
    ...(before && { before }),
  })

function expectAsSaid(blocks: readonly PageBlock[]) {
  for (const { commands, said, printed } of blocks) {
    if (said === undefined) continue
    expect({ commands, printed: constantPart(printed) }).toEqual({ commands, printed: constantPart(said) })
  }
}

test('the practice is as the page says: one user stops, everybody else flows, the handler is mended, all is well', async () => {
  expectAsSaid(await run('practice'))
}, 240_000)
