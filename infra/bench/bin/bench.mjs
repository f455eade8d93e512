#!/usr/bin/env node
// Builds what is stale, then runs the benches. Plain Node: runs on a clone that was never built.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))
const build = spawnSync(process.execPath, [file('../../dev/bin/build.mjs')], { stdio: ['ignore', 2, 2] })
if (build.status !== 0) process.exit(build.status ?? 1)
const run = spawnSync(process.execPath, [file('../dist/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' })
process.exit(run.status ?? 1)
