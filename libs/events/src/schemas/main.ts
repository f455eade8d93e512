import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkSchemas, GENERATED_DIRECTORY } from './check-schemas.js'
import { freezeSchemas } from './freeze-schemas.js'
import { generateTypes } from './generate-types.js'
import { loadSchemas } from './load-schemas.js'

const say = (line: string) => void process.stdout.write(`${line}\n`)

const ACTS: Readonly<Record<string, () => boolean>> = {
  check() {
    const schemas = loadSchemas()
    const problems = checkSchemas(schemas)
    for (const { rule, file, problem } of problems) say(`${rule}: ${file} ${problem}`)
    say(problems.length === 0 ? `${schemas.events.length} events are as they must be.` : `${problems.length} problems.`)
    return problems.length === 0
  },
  generate() {
    for (const { name, text } of generateTypes(loadSchemas())) {
      writeFileSync(join(GENERATED_DIRECTORY, name), text)
      say(`libs/events/src/generated/${name}`)
    }
    return true
  },
  freeze() {
    const files = freezeSchemas(loadSchemas())
    say(
      files.length === 0
        ? 'Nothing has changed since the newest registered versions.'
        : files.map((file) => `schemas/${file}`).join('\n'),
    )
    return true
  },
}

const act = ACTS[process.argv[2] ?? '']
if (act === undefined) {
  process.stderr.write(`usage: node dist/schemas/main.js ${Object.keys(ACTS).join(' | ')}\n`)
  process.exitCode = 2
} else {
  try {
    process.exitCode = act() ? 0 : 1
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
