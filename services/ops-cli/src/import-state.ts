import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { UsageInvalidError } from './command-errors.js'

/** How far an import has come; written after every answered request, so that a killed run goes on where it was. */
export type ImportState = z.output<typeof importState>

const count = z.number().int().min(0)

const importState = z.object({
  kind: z.literal('rollcall-import'),
  importId: z.uuid(),
  source: z.object({
    name: z.string(),
    bytes: count,
    /** Of the file's ends and size: a changed file has other lines under the same numbers. */
    fingerprint: z.string(),
    /** How lines were told apart and understood; changing it would number users differently. */
    reading: z.string(),
  }),
  /** The place behind the last confirmed record. */
  confirmed: z.object({ line: count, byte: count }),
  /** Users sent and answered; the next one has this number plus one under the import id. */
  usersAnswered: count,
  created: count,
  unchanged: count,
  failed: count,
  /** Length of the error file at this point; what a killed run wrote beyond it is cut off and written again. */
  errorFileBytes: count,
  startedAt: z.iso.datetime(),
})

/**
 * The state of an unfinished import, undefined when there is none.
 *
 * @throws UsageInvalidError when the file is something else
 */
export async function readImportState(path: string): Promise<ImportState | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return importState.parse(JSON.parse(text))
  } catch {
    throw new UsageInvalidError(`${path} is not the state of an import. Move it away, or start over with --restart.`)
  }
}

/** Replaces the state file in one step: a kill leaves the old state or the new one, never half of one. */
export async function writeImportState(path: string, state: ImportState): Promise<void> {
  const draft = `${path}.tmp`
  await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, path)
}

/** Removes the state of a finished import. */
export const removeImportState = (path: string): Promise<void> => rm(path, { force: true })
