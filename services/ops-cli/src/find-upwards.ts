import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** The nearest file of that relative path in a folder or one of its parents; undefined when there is none. */
export function findUpwards(from: string, path: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const found = join(folder, path)
    if (existsSync(found)) return found
    if (dirname(folder) === folder) return undefined
  }
}
