import { readCsvHeader } from '../src/csv-columns.js'
import { csvField, parseCsvRecord } from '../src/csv-record.js'
import { csvUsers } from '../src/csv-users.js'
import type { ImportRecord } from '../src/import-record.js'
import { ndjsonUsers } from '../src/ndjson-users.js'
import { physicalLines } from '../src/physical-lines.js'

async function* bytes(text: string) {
  yield Buffer.from(text)
}

async function read(text: string, options = {}): Promise<ImportRecord[]> {
  const lines = physicalLines(bytes(text))
  const header = await lines.next()
  const records: ImportRecord[] = []
  for await (const record of csvUsers(lines, readCsvHeader(header.value?.text ?? '', options))) records.push(record)
  return records
}

const told = (records: ImportRecord[]) =>
  records.map((record) =>
    record.kind === 'user' ? [record.line, JSON.parse(record.json).userName] : [record.line, record.code],
  )

describe('one record', () => {
  test.each([
    ['a,b,c', ['a', 'b', 'c']],
    ['"a,1",b', ['a,1', 'b']],
    ['"say ""hi""",', ['say "hi"', '']],
    ['"two\nlines",x', ['two\nlines', 'x']],
    ['""', ['']],
    ['', ['']],
    ['a,,', ['a', '', '']],
  ])('%j is %j', (text, fields) => {
    expect(parseCsvRecord(text, ',')).toEqual({ fields })
  })

  test('what is not RFC 4180 is told apart from what may go on', () => {
    expect(parseCsvRecord('a,"b', ',')).toEqual({ open: true })
    expect(parseCsvRecord('"a"b,c', ',')).toEqual({ wrong: 'text after the closing quote of column 1' })
    expect(parseCsvRecord('a,b "quoted"', ',')).toEqual({ wrong: 'a quote inside the unquoted column 2' })
  })

  test('any value written as a field is read back', () => {
    for (const value of ['', 'plain', 'a,b', '"', '""', 'say "x"', 'two\nlines', ' spaced ', ';']) {
      expect(parseCsvRecord(`${csvField(value)},end`, ',')).toEqual({ fields: [value, 'end'] })
    }
  })
})

test('columns become the parts of a user, and empty fields are left out', async () => {
  const [first, second] = await read(
    `userName,email,emails,givenName,familyName,displayName,phone,locale,timezone,attr.costCenter,attr.badge
ada, ada@example.org ,ADA@example.org;ada.home@example.net,Ada,Lovelace,"Lovelace, Ada",+442079460000,en-GB,Europe/London,4711,
bare,,,,,,,,,,
`,
  )
  expect(JSON.parse(first?.kind === 'user' ? first.json : '')).toEqual({
    userName: 'ada',
    emails: [{ value: 'ada@example.org', primary: true }, { value: 'ada.home@example.net' }],
    name: { given: 'Ada', family: 'Lovelace', display: 'Lovelace, Ada' },
    phone: '+442079460000',
    locale: 'en-GB',
    timezone: 'Europe/London',
    attributes: { costCenter: '4711' },
  })
  expect(JSON.parse(second?.kind === 'user' ? second.json : '')).toEqual({ userName: 'bare', emails: [] })
})

test('a line with the wrong number of columns fails alone', async () => {
  const records = await read('userName,email\na,a@example.org\nb\nc,c@example.org,extra\nd,\n')
  expect(told(records)).toEqual([
    [2, 'a'],
    [3, 'ERR_CSV_COLUMNS'],
    [4, 'ERR_CSV_COLUMNS'],
    [5, 'd'],
  ])
  expect(records[1]).toMatchObject({ reason: '1 columns where the header has 2', original: 'b' })
})

test('a forgotten quote costs its own line, not the rest of the file', async () => {
  const rest = Array.from({ length: 500 }, (_, i) => `u${i},u${i}@example.org`).join('\n')
  const records = await read(`userName,email\n"broken,b@example.org\n${rest}\n`)
  expect(records[0]).toMatchObject({ kind: 'bad', line: 2, code: 'ERR_CSV_QUOTING', original: '"broken,b@example.org' })
  expect(records.filter(({ kind }) => kind === 'user')).toHaveLength(500)
})

test('a forgotten quote before a well quoted line costs its own line only', async () => {
  const records = await read('userName,displayName\n"a,x\nb,"B, b"\nc,"two\nlines"\nd,y\n')
  expect(told(records)).toEqual([
    [2, 'ERR_CSV_QUOTING'],
    [3, 'b'],
    [4, 'c'],
    [6, 'd'],
  ])
})

test('lines that are no text, or far too long, fail alone; blank ones are left out', async () => {
  const lines = physicalLines(
    (async function* () {
      yield Buffer.from('userName\n\nM\xfcller\n', 'latin1')
      yield Buffer.from(`${'x'.repeat(1_100_000)}\nlast`)
    })(),
  )
  await lines.next()
  const records: ImportRecord[] = []
  for await (const record of csvUsers(lines, readCsvHeader('userName'))) records.push(record)
  expect(told(records)).toEqual([
    [3, 'ERR_LINE_ENCODING'],
    [4, 'ERR_LINE_LENGTH'],
    [5, 'last'],
  ])
})

test('every record ends where the next read may begin', async () => {
  const text = 'userName,displayName\na,"two\nlines"\n"b,x\nc,y\n'
  const records = await read(text)
  for (const [at, { end }] of records.entries()) {
    const rest: ImportRecord[] = []
    const lines = physicalLines(bytes(Buffer.from(text).subarray(end.byte).toString()), {
      afterLine: end.line,
      afterByte: end.byte,
    })
    for await (const record of csvUsers(lines, readCsvHeader('userName,displayName'))) rest.push(record)
    expect(rest).toEqual(records.slice(at + 1))
  }
})

describe('the header', () => {
  test('is matched without case, spaces and underscores, and its delimiter is found', () => {
    expect(readCsvHeader('User Name;E-MAIL;given_name;Attr.badge')).toEqual({
      delimiter: ';',
      columns: ['userName', 'email', 'givenName', 'attr.badge'],
    })
    expect(readCsvHeader('userName\temail').delimiter).toBe('\t')
  })

  test('is mapped by name, and - leaves a column out', () => {
    expect(
      readCsvHeader('Login,Badge,Notes', { mapping: { Login: 'userName', Badge: 'attr.badge', Notes: '-' } }).columns,
    ).toEqual(['userName', 'attr.badge', undefined])
  })

  test.each([
    ['userName,Cost Center', {}, /"Cost Center" is unknown.*--map "Cost Center=attr\.costCenter"/],
    ['email', {}, /No column .* means userName/],
    ['userName,User Name', {}, /Two columns .* mean userName/],
    ['userName', { mapping: { Login: 'userName' } }, /names the column "Login", but the header has: userName/],
    ['Login', { mapping: { Login: 'loginName' } }, /there is no column "loginName"/],
    ['"userName', {}, /not quoted correctly/],
  ])('%j with %j is refused with the way out', (header, options, message) => {
    expect(() => readCsvHeader(header, options)).toThrow(message)
  })
})

test('NDJSON lines go on as they are, blank ones are left out', async () => {
  const records: ImportRecord[] = []
  for await (const record of ndjsonUsers(physicalLines(bytes('{"userName":"a"}\n\n not json \n')))) records.push(record)
  expect(records.map((record) => (record.kind === 'user' ? [record.line, record.json] : record.code))).toEqual([
    [1, '{"userName":"a"}'],
    [3, 'not json'],
  ])
})
