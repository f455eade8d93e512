import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.mjs'

/** Throws one sentence when this Node is older than package.json asks for. */
export function checkNode(root) {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node,
  )
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number)
  if (ownMajor > Number(major) || (ownMajor === Number(major) && ownMinor >= Number(minor))) return
  throw new Error(
    `Rollcall needs Node.js ${major}.${minor} or newer and this is ${process.versions.node}: install a newer one.`,
  )
}

/** Installs what the lockfile names, when that is not what is installed. No install script of any package is run. */
export async function install(root, { step }) {
  const lockfile = join(root, 'package-lock.json')
  const stamp = join(root, 'node_modules', '.rollcall-installed')
  const wanted = createHash('sha256').update(readFileSync(lockfile)).digest('hex')
  if (read(stamp) === wanted) return
  // Installed by hand: npm's own note is at least as new as the lockfile.
  const note = statSync(join(root, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false })
  if (!note || note.mtimeMs < statSync(lockfile).mtimeMs) {
    await step('install dependencies (npm ci)', () => npm(root, ['ci', '--ignore-scripts', '--no-audit', '--no-fund']))
  }
  writeFileSync(stamp, wanted)
}

// The npm that runs us, if one does; on Windows npm is a script that only a shell can start.
function npm(root, args) {
  const cli = process.env.npm_execpath
  if (cli && /npm-cli\.c?js$/.test(cli) && existsSync(cli)) return run(process.execPath, [cli, ...args], { cwd: root })
  return run('npm', args, { cwd: root, shell: process.platform === 'win32' })
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
