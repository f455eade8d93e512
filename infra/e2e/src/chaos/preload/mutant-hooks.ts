import { writeFileSync } from 'node:fs'
import type { LoadHook } from 'node:module'
import { mutantNamed } from '../mutants/all.js'
import type { Mutant } from '../mutants/mutant.js'
import { patched } from '../mutants/patch.js'

let mutant: Mutant | undefined

export function initialize(data: { readonly mutant: string }): void {
  mutant = mutantNamed(data.mutant)
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context)
  if (mutant === undefined || !url.endsWith(`/${mutant.file}`)) return loaded
  const source = patched(String(loaded.source), mutant.edits, mutant.file)
  // For whoever wants to be sure that the bug was there.
  const note = process.env.ROLLCALL_CHAOS_MUTANT_NOTE
  if (note !== undefined) writeFileSync(note, mutant.name)
  return { ...loaded, source }
}
