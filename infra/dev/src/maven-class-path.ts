import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cachedDirectory, cacheKey } from './cache.js'
import { resolveWithMaven } from './java.js'

export interface MavenClassPath {
  readonly classPath: string
  /** Changes when the pom does. */
  readonly key: string
}

/** The jars a pinned pom.xml names, in the user's cache; seconds the first time, nothing afterwards. @throws ToolMissingError */
export async function mavenClassPath(name: string, pom: string): Promise<MavenClassPath> {
  const key = cacheKey(readFileSync(pom))
  const jars = await cachedDirectory(`${name}-${key}`, (directory) =>
    resolveWithMaven(pom, 'copy-dependencies', directory),
  )
  // Sorted and explicit: a class archive is valid for exactly one class path, and a wildcard's order is not stable.
  const classPath = readdirSync(jars)
    .filter((file) => file.endsWith('.jar'))
    .sort()
    .map((file) => join(jars, file))
    .join(delimiter)
  return { classPath, key }
}
