import { runCli } from './cli.js'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The second signal is impatience: it ends the process at once.
  process.once(signal, () => {
    stop.abort()
    process.once(signal, () => process.exit(1))
  })
}
// `rollcall topics tail | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: process.cwd(),
  signal: stop.signal,
})
