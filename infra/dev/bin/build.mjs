#!/usr/bin/env node
// Generates the Prisma clients that are out of date and compiles what has changed. `npm run build` builds everything.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkNode, install } from './install.mjs'
import { oneAtATime } from './one-at-a-time.mjs'
import { createProgress } from './progress.mjs'
import { run } from './run.mjs'

export const root = fileURLToPath(new URL('../../../', import.meta.url)).replace(/[/\\]$/, '')

/** What `npm start` runs; it need not wait for bench and e2e. */
export const RUNNING_PARTS = ['services/user-registry', 'services/directory', 'services/ops-cli', 'infra/dev']

/** Installs and builds, each only when it is needed. @param parts folders; all when absent */
export async function installAndBuild(progress, parts = []) {
  checkNode(root)
  await oneAtATime(join(root, '.rollcall', 'build.lock'), progress.report, async () => {
    await install(root, progress)
    await progress.step('build', async () => {
      await generateClients()
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
      await run(process.execPath, [tsc, '-b', ...parts], { cwd: root })
    })
  })
}

async function generateClients() {
  const services = readdirSync(join(root, 'services')).filter((name) =>
    existsSync(join(root, 'services', name, 'prisma.config.ts')),
  )
  await Promise.all(services.map(generateClient))
}

async function generateClient(service) {
  const folder = join(root, 'services', service)
  const stamp = join(folder, 'src', 'generated', '.stamp')
  const hash = createHash('sha256')
  for (const file of [
    join(folder, 'prisma.config.ts'),
    join(root, 'prisma', service, 'schema.prisma'),
    createRequire(import.meta.url).resolve('prisma/package.json'),
  ]) {
    if (existsSync(file)) hash.update(readFileSync(file))
  }
  const wanted = hash.digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  await run(process.execPath, [fileURLToPath(new URL('prisma.mjs', import.meta.url)), 'generate'], { cwd: folder })
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await installAndBuild(createProgress())
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
