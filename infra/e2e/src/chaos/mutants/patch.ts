import { RollcallError } from '@rollcall/errors'

/** One exact replacement in a compiled file. */
export interface Edit {
  readonly find: string
  readonly replace: string
}

/**
 * Replaces each text by another. Each must be there exactly once: a mutant whose place is gone would prove nothing.
 *
 * @throws MutantStaleError
 */
export function patched(source: string, edits: readonly Edit[], file: string): string {
  return edits.reduce((text, { find, replace }) => {
    const times = text.split(find).length - 1
    if (times !== 1) throw new MutantStaleError(file, find, times)
    // A function: "$" in a replacement text has a meaning of its own.
    return text.replace(find, () => replace)
  }, source)
}

/** `ERR_MUTANT_STALE`: the code a mutant changes has changed; write it anew. */
export class MutantStaleError extends RollcallError {
  constructor(file: string, find: string, times: number) {
    super({
      code: 'ERR_MUTANT_STALE',
      message: `The text of a mutant stands ${times} times in ${file}, and must stand once: ${find}`,
      facts: { file, times },
    })
  }
}
