#!/usr/bin/env node
// Committed, and plain JavaScript, because npm links a bin only when its file exists at install time: dist/ does not yet.
import { existsSync } from 'node:fs'

const main = new URL('../dist/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write('rollcall is not built yet: run `npm run build` at the root of the repository first.\n')
  process.exitCode = 1
}
