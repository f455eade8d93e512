#!/usr/bin/env node
import { simulateCommand } from '../dist/testing/simulate-command.js'

process.exitCode = await simulateCommand(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  progress: (text) => process.stderr.write(text),
})
