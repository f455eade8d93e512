import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Fault } from './fault.js'
import type { FaultOutcome, RunOptions } from './fault-outcome.js'

const DISK = '1200m'

/**
 * Runs a fault in a process of its own whose temporary files, hence the whole stack, lie on a file system of bounded size.
 * It is mounted in a private namespace: nobody else sees it, and it is gone with the process.
 */
export async function runOnOwnDisk(fault: Fault, { length, trials, seed, say }: RunOptions): Promise<FaultOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-disk-'))
  const [disk, outcome] = [join(folder, 'disk'), join(folder, 'outcome.json')]
  mkdirSync(disk)
  const program = fileURLToPath(new URL('../chaos-main.js', import.meta.url))
  const options = ['--fault', fault.name, '--trials', String(trials ?? fault.trials[length]), '--seed', String(seed)]
  try {
    const child = spawn(
      'unshare',
      [
        ...['--mount', 'sh', '-c'],
        `mount -t tmpfs -o size=${DISK},mode=1777 none "$0" && chmod 711 "$0/.." && exec "$@"`,
        ...[disk, process.execPath, program, ...options, '--no-results'],
      ],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, TMPDIR: disk, ROLLCALL_CHAOS_OUTCOME: outcome },
      },
    )
    child.stdout.on('data', () => {})
    const onEnd = () => child.kill('SIGTERM')
    process.once('exit', onEnd)
    await once(child, 'close')
    process.off('exit', onEnd)
    if (!existsSync(outcome)) throw new Error('the process on its own disk ended without an outcome')
    return (JSON.parse(readFileSync(outcome, 'utf8')) as FaultOutcome[])[0] as FaultOutcome
  } finally {
    rmSync(folder, { recursive: true, force: true })
    say(`${fault.name}: its disk is gone`)
  }
}

/** True in the process that was started on a disk of its own. */
export const isOnOwnDisk = () => process.env.ROLLCALL_CHAOS_OUTCOME !== undefined
