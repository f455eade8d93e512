import { unreadable } from './csv-users.js'
import type { ImportRecord } from './import-record.js'
import type { PhysicalLine } from './physical-lines.js'

/**
 * Reads users from NDJSON: one JSON object a line, in the form `POST /v1/users` takes. Lines are passed on as they are;
 * whether one is JSON, and a user, the registry says. Blank lines are left out.
 */
export async function* ndjsonUsers(lines: AsyncIterator<PhysicalLine>): AsyncGenerator<ImportRecord> {
  for (let step = await lines.next(); step.done !== true; step = await lines.next()) {
    const { number, endByte, text, broken } = step.value
    const place = { line: number, original: text, end: { line: number, byte: endByte } }
    if (broken !== undefined) yield { ...unreadable(broken), ...place }
    else if (text.trim() !== '') yield { kind: 'user', json: text.trim(), ...place }
  }
}
