import type { CsvColumns, UserColumn } from './csv-columns.js'
import { parseCsvRecord } from './csv-record.js'
import type { BadRecord, ImportRecord } from './import-record.js'
import type { PhysicalLine } from './physical-lines.js'

/** A quoted field may run over this many lines; further on a forgotten quote is likelier than a long field. */
const MAX_LINES_OF_ONE_RECORD = 100

/**
 * Reads users from the lines of a CSV file, after its header. A bad line is yielded as such and reading goes on with the
 * next physical line. (csv-parse was tried and left: a single forgotten quote swallows the rest of the file, since it
 * takes everything up to the next quote, or to the end, for one field.)
 */
export async function* csvUsers(
  lines: AsyncIterator<PhysicalLine>,
  { columns, delimiter }: CsvColumns,
): AsyncGenerator<ImportRecord> {
  // Lines read ahead for a quoted field that did not close: they are read again, each as the start of a record.
  const ahead: PhysicalLine[] = []
  const next = async () => ahead.shift() ?? (await nextOf(lines))

  for (let first = await next(); first !== undefined; first = await next()) {
    if (first.text.trim() === '' && first.broken === undefined) continue
    const members = [first]
    const text = () => members.map((line) => line.text).join('\n')
    let record = parseCsvRecord(first.text, delimiter)
    while ('open' in record && members.every(isWhole) && members.length < MAX_LINES_OF_ONE_RECORD) {
      const more = await next()
      if (more === undefined) break
      members.push(more)
      record = parseCsvRecord(text(), delimiter)
    }
    const broken = first.broken
    if (broken !== undefined || !('fields' in record)) {
      ahead.unshift(...members.slice(1))
      const why = broken === undefined ? quoting(record as { wrong?: string }) : unreadable(broken)
      yield { ...why, line: first.number, original: first.text, end: endOf(first) }
      continue
    }
    const place = { line: first.number, original: text(), end: endOf(members.at(-1) as PhysicalLine) }
    if (record.fields.length !== columns.length) {
      const reason = `${record.fields.length} columns where the header has ${columns.length}`
      yield { kind: 'bad', code: 'ERR_CSV_COLUMNS', reason, ...place }
      continue
    }
    yield { kind: 'user', json: JSON.stringify(toUser(record.fields, columns)), ...place }
  }
}

/** The registry's form of a user, from the fields of one record. An empty field is an absent one. */
export function toUser(fields: readonly string[], columns: readonly (UserColumn | undefined)[]): ImportedUser {
  const of = (column: UserColumn) => fields[columns.indexOf(column)]?.trim() || undefined
  const name = present({ given: of('givenName'), family: of('familyName'), display: of('displayName') })
  const attributes = present(
    Object.fromEntries(
      columns.flatMap((column, at) =>
        column?.startsWith('attr.') ? [[column.slice(5), fields[at]?.trim() || undefined]] : [],
      ),
    ),
  )
  const emails = [of('email'), ...(of('emails') ?? '').split(';')]
    .map((value) => value?.trim())
    .filter((value, at, all): value is string => Boolean(value) && firstOf(all, value) === at)
    .map((value, at) => (at === 0 ? { value, primary: true } : { value }))
  return {
    userName: of('userName') ?? '',
    emails,
    ...(name && { name }),
    ...present({ phone: of('phone'), locale: of('locale'), timezone: of('timezone') }),
    ...(attributes && { attributes }),
  }
}

export interface ImportedUser {
  readonly userName: string
  readonly emails: readonly { readonly value: string; readonly primary?: boolean }[]
  readonly name?: { readonly given?: string; readonly family?: string; readonly display?: string }
  readonly phone?: string
  readonly locale?: string
  readonly timezone?: string
  readonly attributes?: Readonly<Record<string, string>>
}

async function nextOf(lines: AsyncIterator<PhysicalLine>): Promise<PhysicalLine | undefined> {
  const step = await lines.next()
  return step.done === true ? undefined : step.value
}

const isWhole = (line: PhysicalLine) => line.broken === undefined

const endOf = (line: PhysicalLine) => ({ line: line.number, byte: line.endByte })

const quoting = ({ wrong }: { wrong?: string }): BadRecord => ({
  kind: 'bad',
  code: 'ERR_CSV_QUOTING',
  reason: wrong ?? 'a quote is opened and never closed',
})

/** Why a line that is not text in UTF-8, or too long, is not read. */
export const unreadable = (broken: NonNullable<PhysicalLine['broken']>): BadRecord =>
  broken === 'too long'
    ? { kind: 'bad', code: 'ERR_LINE_LENGTH', reason: 'the line is longer than 1 MiB' }
    : { kind: 'bad', code: 'ERR_LINE_ENCODING', reason: 'the line is not UTF-8; save the file as UTF-8' }

const firstOf = (all: readonly (string | undefined)[], value: string | undefined) =>
  all.findIndex((one) => one?.toLowerCase() === value?.toLowerCase())

function present<T extends Record<string, string | undefined>>(values: T): Record<string, string> | undefined {
  const kept = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}
