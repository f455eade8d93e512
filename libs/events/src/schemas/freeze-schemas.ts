import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkSchemas, sameShape } from './check-schemas.js'
import { type EventSource, type Schemas, samplesFile } from './load-schemas.js'
import { sampleEvents } from './sample-events.js'

/**
 * Writes the present form of each changed event as its next registered version, inlined, never touched again; and events
 * of it, and of each earlier version that has none, for the corpus that every later build must read.
 *
 * @returns the files written.
 * @throws Error listing what makes the present form unfit.
 */
export function freezeSchemas(schemas: Schemas): string[] {
  const later = new Set<string>(['frozen', 'generated', 'corpus'])
  const unfit = checkSchemas(schemas).filter(({ rule }) => !later.has(rule))
  if (unfit.length > 0) throw new Error(unfit.map(({ file, problem }) => `${file} ${problem}`).join('\n'))
  const written: string[] = []
  const write = (file: string, text: string) => {
    const path = join(schemas.directory, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text, { flag: 'wx' })
    written.push(file)
  }
  for (const event of schemas.events) {
    const { name, schema, frozen } = event
    const isNew = isChanged(event)
    const file = `registered/${name}/${(frozen.at(-1)?.version ?? 0) + 1}.avsc`
    if (isNew) write(file, `${JSON.stringify(schema, null, 2)}\n`)
    const bare = frozen.filter(({ samples }) => samples === undefined)
    for (const one of [...bare, ...(isNew ? [{ file, schema }] : [])]) {
      write(samplesFile(one.file), `${sampleEvents(one.schema).join('\n')}\n`)
    }
  }
  return written
}

function isChanged({ schema, frozen }: EventSource): boolean {
  const newest = frozen.at(-1)
  return newest === undefined || !sameShape(newest.schema, schema)
}
