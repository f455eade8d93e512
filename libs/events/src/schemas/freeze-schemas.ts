import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkSchemas, sameShape } from './check-schemas.js'
import type { Schemas } from './load-schemas.js'

/**
 * Writes the present form of each changed event as its next registered version, inlined, never touched again.
 *
 * @returns the files written.
 * @throws Error listing what makes the present form unfit.
 */
export function freezeSchemas(schemas: Schemas): string[] {
  const unfit = checkSchemas(schemas).filter(({ rule }) => rule !== 'frozen' && rule !== 'generated')
  if (unfit.length > 0) throw new Error(unfit.map(({ file, problem }) => `${file} ${problem}`).join('\n'))
  return schemas.events.flatMap(({ name, schema, frozen }) => {
    const newest = frozen.at(-1)
    if (newest !== undefined && sameShape(newest.schema, schema)) return []
    const file = `registered/${name}/${(newest?.version ?? 0) + 1}.avsc`
    const path = join(schemas.directory, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${JSON.stringify(schema, null, 2)}\n`, { flag: 'wx' })
    return [file]
  })
}
