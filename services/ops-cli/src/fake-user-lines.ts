import { csvField } from './csv-record.js'
import type { FakeUser } from './fake-users.js'
import type { ImportFormat } from './import-source.js'

/** Users as the lines of a file that `rollcall users import` reads, in pieces of some 64 KB. */
export function* fakeUserLines(users: Iterable<FakeUser>, format: ImportFormat): Generator<string> {
  const lineOf = format === 'csv' ? csvLine : ndjsonLine
  let piece = format === 'csv' ? `${COLUMNS.map(([name]) => name).join(',')}\n` : ''
  for (const user of users) {
    piece += lineOf(user)
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

const PIECE_LENGTH = 64 * 1024

const COLUMNS: readonly (readonly [name: string, value: (user: FakeUser) => string | undefined])[] = [
  ['userName', (user) => user.userName],
  ['email', (user) => user.emails[0]?.value],
  [
    'emails',
    (user) =>
      user.emails
        .slice(1)
        .map(({ value }) => value)
        .join(';'),
  ],
  ['givenName', (user) => user.name.given],
  ['familyName', (user) => user.name.family],
  ['displayName', (user) => user.name.display],
  ['phone', (user) => user.phone],
  ['locale', (user) => user.locale],
  ['timezone', (user) => user.timezone],
  ['attr.department', (user) => user.attributes.department],
  ['attr.employeeNumber', (user) => user.attributes.employeeNumber],
]

const csvLine = (user: FakeUser) => `${COLUMNS.map(([, value]) => csvField(value(user) ?? '')).join(',')}\n`

const ndjsonLine = (user: FakeUser) => `${JSON.stringify(user)}\n`
