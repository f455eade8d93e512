import { UsageInvalidError } from './command-errors.js'
import { parseCsvRecord } from './csv-record.js'

/** The columns a CSV file of users may have; `attr.<name>` is the attribute of that name. */
export const USER_COLUMNS = [
  'userName',
  'email',
  'emails',
  'givenName',
  'familyName',
  'displayName',
  'phone',
  'locale',
  'timezone',
] as const

export type UserColumn = (typeof USER_COLUMNS)[number] | `attr.${string}`

/** How the columns of one file are read: per position what it means, undefined where it is left out. */
export interface CsvColumns {
  readonly delimiter: string
  readonly columns: readonly (UserColumn | undefined)[]
}

export interface CsvColumnsOptions {
  /** Header text to column name; `-` leaves the column out. */
  readonly mapping?: Readonly<Record<string, string>>
  /** Found in the header when not given: comma, else semicolon, else tab. */
  readonly delimiter?: string | undefined
}

/**
 * Understands a header line. Names are matched without regard to case, spaces, `_` and `-`.
 *
 * @throws UsageInvalidError for an unknown or repeated column, and when `userName` is missing: a wrong header makes every
 *   line wrong, so nothing is sent.
 */
export function readCsvHeader(header: string, { mapping = {}, delimiter }: CsvColumnsOptions = {}): CsvColumns {
  const separator = delimiter ?? ([',', ';', '\t'].find((one) => header.includes(one)) || ',')
  const record = parseCsvRecord(header, separator)
  if (!('fields' in record)) {
    throw new UsageInvalidError(
      'The header line of the CSV file is not quoted correctly; its first line must name the columns.',
    )
  }
  const names = record.fields.map((name) => name.trim())
  for (const from of Object.keys(mapping)) {
    if (!names.includes(from)) {
      throw new UsageInvalidError(`--map names the column "${from}", but the header has: ${names.join(', ')}`)
    }
  }
  const columns = names.map((name) => columnOf(name, mapping[name]))
  const twice = columns.find((column, at) => column !== undefined && columns.indexOf(column) !== at)
  if (twice !== undefined)
    throw new UsageInvalidError(`Two columns of the CSV file mean ${twice}; leave one out with --map "<header>=-".`)
  if (!columns.includes('userName')) {
    throw new UsageInvalidError(
      `No column of the CSV file means userName; its header has: ${names.join(', ')}. Name it with --map "<header>=userName".`,
    )
  }
  return { delimiter: separator, columns }
}

function columnOf(name: string, mapped: string | undefined): UserColumn | undefined {
  const wanted = mapped ?? name
  if (wanted === '-') return undefined
  if (/^attr\./i.test(wanted) && wanted.length > 5) return `attr.${wanted.slice(5)}`
  const known = USER_COLUMNS.find((column) => plain(column) === plain(wanted))
  if (known !== undefined) return known
  throw new UsageInvalidError(
    mapped === undefined
      ? `The CSV column "${name}" is unknown. Columns: ${USER_COLUMNS.join(', ')}, attr.<name>. Map it with --map "${name}=attr.${camel(name)}", or leave it out with --map "${name}=-".`
      : `--map "${name}=${mapped}": there is no column "${mapped}". Columns: ${USER_COLUMNS.join(', ')}, attr.<name>, or - to leave it out.`,
  )
}

const plain = (name: string) => name.toLowerCase().replace(/[\s_-]/g, '')

const camel = (name: string) =>
  name
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+(.)?/gu, (_, next: string | undefined) => (next ?? '').toUpperCase()) || 'name'
