import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Pool } from '@rollcall/database'
import type { ManagedProcess } from '@rollcall/dev'
import { toErrorFacts } from '@rollcall/errors'
import type { Verdict } from '../checker/check-history.js'
import type { JournalEntry } from '../checker/history.js'
import { openScene, type Scene } from '../drill/scene.js'
import { startTraffic, type Traffic } from '../drill/traffic.js'
import { createRandom } from '../random.js'
import { type Links, linkNames } from '../stack/links.js'
import { type ArmedProcess, armedProcess, armingEnv } from './armed-process.js'

export interface StageOptions {
  readonly seed: number
  /** Effect counters beside the directory: each is one more consumer to kill. @default 3 */
  readonly counters?: number
  /** Changes a second, at most. @default 80 */
  readonly perSecond?: number
  /** More environment for every service, such as a mutant's. */
  readonly env?: Readonly<Record<string, string>>
  /** Node flags for every service, after the crash preload. */
  readonly nodeOptions?: string
  readonly say: (line: string) => void
}

/** Where faults happen: one scene, traffic that never stops by itself, and everything needed to break and to check it. */
export interface Stage {
  readonly scene: Scene
  readonly links: Links
  readonly registry: ArmedProcess
  readonly relay: ArmedProcess
  /** The directory and the counters; each in a group of its own. */
  readonly consumers: readonly ArmedProcess[]
  readonly postgres: ManagedProcess
  readonly kafka: ManagedProcess
  readonly schemas: ManagedProcess
  /** Records that a fault put on the topic itself, as `partition/offset`. */
  readonly injected: Set<string>
  /** The environment of a further process, by its name. */
  envOf(name: string): Readonly<Record<string, string>>
  /** Armed like the others; the name is also its log's. */
  arm(process: ArmedProcess['process']): ArmedProcess
  /** Creates users through the import route; how many were created. */
  importUsers(count: number): Promise<number>
  startTraffic(): void
  stopTraffic(): Promise<void>
  /** Stops the traffic, waits until all is quiet, compares everything. */
  verdict(quietWithinMs: number, stallMs?: number): Promise<StageVerdict>
  /** Copies the logs of everything aside, for after the scene is gone; answers the folder. */
  keepLogs(name: string): string
  close(): Promise<void>
}

export interface StageVerdict extends Verdict {
  /** Why it did not get quiet; null when it did. */
  readonly unquiet: string | null
}

export async function openStage(options: StageOptions): Promise<Stage> {
  const { seed, counters = 3, perSecond = 80, env = {}, nodeOptions = '', say } = options
  // Not in the scene's own folder, which is made later.
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-chaos-'))
  const fileOf = (name: string) => join(folder, `${name}.arming`)
  const envOf = (name: string) => {
    const armed = armingEnv(fileOf(name))
    return { ...armed, ...env, LOG_LEVEL: 'warn', NODE_OPTIONS: `${armed.NODE_OPTIONS} ${nodeOptions}`.trim() }
  }
  const scene = await openScene({ supervised: false, linked: true, counters, envOf, report: say })
  const { own } = scene
  if (own?.links === undefined) throw new Error('the chaos suite needs a stack of its own')
  const { links } = own
  const arm = (process: ArmedProcess['process']) => armedProcess(process, fileOf(process.name))
  const address = `http://127.0.0.1:${links['clients-registry'].port}`
  const journal: JournalEntry[] = []
  const injected = new Set<string>()
  let traffic: Traffic | undefined
  let starts = 0

  async function importUsers(count: number): Promise<number> {
    const body = Array.from({ length: count }, () => {
      const id = randomUUID()
      return JSON.stringify({ userName: `chaos-${id}`, emails: [{ value: `${id}@chaos.example`, primary: true }] })
    })
    const response = await fetch(`${address}/v1/users/import`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${body.join('\n')}\n`,
      signal: AbortSignal.timeout(30_000),
    })
    const answers = await response.text()
    return answers.split('\n').filter((line) => line.includes('"created"')).length
  }

  async function stopTraffic(): Promise<void> {
    const stopping = traffic
    traffic = undefined
    if (stopping === undefined) return
    await stopping.stop()
    journal.push(...stopping.journal)
  }

  for (const pool of [scene.databases.directory, ...scene.databases.counters]) await watchPositions(pool)
  await importUsers(300)
  return {
    scene,
    links,
    registry: arm(own.services.registry),
    relay: arm(own.services.relay),
    consumers: [own.services.directory, ...scene.counters].map(arm),
    postgres: own.process('postgres'),
    kafka: own.process('kafka'),
    schemas: own.process('schema-registry'),
    injected,
    envOf,
    arm,
    importUsers,
    startTraffic() {
      traffic ??= startTraffic({
        registry: address,
        random: createRandom(seed + starts),
        perSecond,
        from: 100_000 * starts++,
      })
    },
    stopTraffic,
    async verdict(quietWithinMs, stallMs = 60_000) {
      await stopTraffic()
      const unquiet = await scene.quiet(quietWithinMs, stallMs).then(
        () => null,
        (error: unknown) => toErrorFacts(error).message,
      )
      const verdict = await scene.check(journal, injected)
      for (const pool of [scene.databases.directory, ...scene.databases.counters]) {
        for (const [partition, evidence] of await movedBack(pool)) {
          verdict.violations.add('I3', 'a position went back under the same claim', undefined, {
            partition,
            ...evidence,
          })
        }
      }
      return { ...verdict, unquiet }
    },
    keepLogs(name) {
      const kept = mkdtempSync(join(tmpdir(), `rollcall-chaos-${name}-`))
      for (const from of [own.directory, scene.directory]) {
        for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
          if (file.endsWith('.log') && !file.includes('node-'))
            copyFileSync(join(from, file), join(kept, basename(file)))
        }
      }
      writeFileSync(join(kept, 'journal.json'), JSON.stringify(journal))
      return kept
    },
    async close() {
      await stopTraffic()
      for (const name of linkNames) links[name].set({ kind: 'through' })
      await scene.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A position of one claim only ever rises: what lowers it is a member whose claim is over. */
async function watchPositions(pool: Pool): Promise<void> {
  await pool.query(`
    CREATE TABLE chaos_moved_back (partition int, epoch bigint, was bigint, is_now bigint);
    CREATE FUNCTION chaos_watch_position() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO chaos_moved_back VALUES (NEW.partition, NEW.epoch, OLD.position, NEW.position);
      RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_watch_position AFTER UPDATE ON projections.checkpoint FOR EACH ROW
      WHEN (NEW.epoch = OLD.epoch AND NEW.position < OLD.position) EXECUTE FUNCTION chaos_watch_position()`)
}

async function movedBack(pool: Pool): Promise<[number, Record<string, unknown>][]> {
  const { rows } = await pool.query<{ partition: number; epoch: string; was: string; is_now: string }>(
    'SELECT * FROM chaos_moved_back',
  )
  return rows.map(({ partition, ...evidence }) => [partition, evidence])
}
