#!/usr/bin/env node
// `npm test`: installs and builds what is missing, then one jest run; arguments go to jest.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { installAndBuild, root } from './build.mjs'
import { createProgress } from './progress.mjs'

try {
  await installAndBuild(createProgress())
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
// By its package: jest exports no path to its program.
const jest = join(dirname(createRequire(import.meta.url).resolve('jest/package.json')), 'bin/jest.js')
const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
const child = spawn(process.execPath, [...flags, jest, '-c', 'infra/jest/jest.config.mjs', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${flags.join(' ')}`.trim() },
})
// Ctrl-C reaches jest by itself; a signal to us alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
