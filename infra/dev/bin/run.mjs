import { spawn } from 'node:child_process'

const running = new Set()

/** Runs a program to its end and returns what it wrote. Throws with the end of its output when it fails. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    running.add(child)
    const chunks = []
    child.stdout.on('data', (chunk) => chunks.push(chunk))
    child.stderr.on('data', (chunk) => chunks.push(chunk))
    child.on('error', (error) => {
      running.delete(child)
      reject(new Error(`${command} does not run: ${error.message}`))
    })
    child.on('close', (code, signal) => {
      running.delete(child)
      const output = Buffer.concat(chunks).toString().trimEnd()
      if (code === 0) return resolve(output)
      const end = output.split('\n').slice(-40).join('\n')
      reject(new Error(`\`${[command, ...args].join(' ')}\` ${signal ? `was ended by ${signal}` : 'failed'}:\n${end}`))
    })
  })
}

/** Ends what `run` has started: a terminal's Ctrl-C reaches it by itself, a SIGTERM to us does not. */
export function endRunning() {
  for (const child of running) child.kill('SIGTERM')
}
