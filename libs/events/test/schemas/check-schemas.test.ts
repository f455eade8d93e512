import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AvroRecord } from '../../src/avro-schema.js'
import { type CorpusEntry, corpusOf, schemaCorpus } from '../../src/corpus.js'
import { checkSchemas } from '../../src/schemas/check-schemas.js'
import { freezeSchemas } from '../../src/schemas/freeze-schemas.js'
import { loadSchemas } from '../../src/schemas/load-schemas.js'
import { sampleEvents } from '../../src/schemas/sample-events.js'
import { userLifecycle } from '../../src/user-lifecycle.js'

const SCHEMAS = fileURLToPath(new URL('../../../../schemas', import.meta.url))
let copy: string

beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'schemas-'))
  cpSync(SCHEMAS, copy, { recursive: true })
})

afterEach(() => rmSync(copy, { recursive: true, force: true }))

type Fields = { name: string; doc?: string; type: unknown; default?: unknown; 'rollcall.class'?: string }[]

function edit(file: string, change: (fields: Fields) => void) {
  const path = join(copy, file)
  const source = JSON.parse(readFileSync(path, 'utf8'))
  change(source.fields)
  writeFileSync(path, JSON.stringify(source))
}

const rulesBroken = () => [...new Set(checkSchemas(loadSchemas(copy)).map(({ rule }) => rule))].sort()

test('the contracts of this repository are as they must be', () => {
  expect(checkSchemas(loadSchemas())).toEqual([])
})

test('a field without a class is refused by its name', () => {
  edit('users/User.avsc', (fields) => delete fields.find(({ name }) => name === 'phone')?.['rollcall.class'])
  expect(checkSchemas(loadSchemas(copy))).toContainEqual(
    expect.objectContaining({
      rule: 'classified',
      file: 'users/User.avsc',
      problem: expect.stringContaining('field phone'),
    }),
  )
})

test('an unknown class is refused', () => {
  edit('users/User.avsc', (fields) => Object.assign(fields[1] as object, { 'rollcall.class': 'secret' }))
  expect(rulesBroken()).toContain('classified')
})

test('a field that is classified below what it holds is refused, and so is a type below its fields', () => {
  edit('users/UserCreated.avsc', (fields) =>
    Object.assign(fields.find(({ name }) => name === 'user') as object, { 'rollcall.class': 'none' }),
  )
  edit('users/Actor.avsc', (fields) => Object.assign(fields[1] as object, { 'rollcall.class': 'special' }))
  const problems = checkSchemas(loadSchemas(copy)).filter(({ rule }) => rule === 'classified')
  expect(problems.map(({ file, problem }) => `${file} ${problem}`)).toEqual([
    'users/Actor.avsc type Actor must be special, like the highest of its fields',
    'users/UserCreated.avsc field user is none, but holds io.rollcall.users.User, which is pii',
    'users/UserCreated.avsc type UserCreated must be pseudonym, like the highest of its fields',
  ])
})

test('a field without a word on what it means is refused', () => {
  edit('users/User.avsc', (fields) => Object.assign(fields[0] as object, { doc: ' ' }))
  expect(checkSchemas(loadSchemas(copy))).toContainEqual(
    expect.objectContaining({ rule: 'documented', problem: expect.stringContaining('id has no "doc"') }),
  )
})

test('a status taken away is refused: old records carry it', () => {
  const path = join(copy, 'users/UserStatus.avsc')
  const source = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...source, symbols: ['active', 'suspended'], default: undefined }))
  expect(rulesBroken()).toContain('compatible')
})

test('a change is held against every registered version, not the newest only', () => {
  // Version 2 drops a field with a default; version 3 brings it back with another type.
  const withNote = (type: unknown, fallback: unknown) => (fields: Fields) =>
    fields.push({ name: 'note', doc: 'A note.', type, default: fallback, 'rollcall.class': 'pii' } as Fields[number])
  edit('users/User.avsc', withNote('string', ''))
  freezeSchemas(loadSchemas(copy))
  edit('users/User.avsc', (fields) => fields.pop())
  freezeSchemas(loadSchemas(copy))
  edit('users/User.avsc', withNote('long', 0))
  const problems = checkSchemas(loadSchemas(copy)).filter(({ rule }) => rule === 'compatible')
  expect(problems.some(({ problem }) => problem.includes('version 2'))).toBe(true)
  expect(problems.some(({ problem }) => problem.includes('version 3'))).toBe(false)
})

test('a registered version that was removed is missed', () => {
  rmSync(join(copy, 'registered/UserCreated/1.avsc'))
  cpSync(join(SCHEMAS, 'registered/UserCreated/1.avsc'), join(copy, 'registered/UserCreated/2.avsc'))
  expect(checkSchemas(loadSchemas(copy))).toContainEqual(
    expect.objectContaining({ rule: 'frozen', problem: expect.stringContaining('UserCreated/1.avsc is missing') }),
  )
})

test.each([
  ['no JSON', 'users/User.avsc', '{', 'users/User.avsc: not JSON'],
  [
    'another name',
    'users/Email.avsc',
    '{"type":"record","name":"Mail","fields":[]}',
    'a file has the name of its type',
  ],
  [
    'a type nobody defines',
    'users/Actor.avsc',
    '{"type":"record","name":"Actor","namespace":"io.rollcall.users","fields":[{"name":"x","type":"Nobody"}]}',
    'io.rollcall.users.Nobody is not defined',
  ],
  ['a topic without records', 'users/topic.json', '{"name":"t"}', 'expected { name, event, schemas, records }'],
])('a file with %s is named', (_what, file, text, problem) => {
  writeFileSync(join(copy, file), text)
  expect(() => loadSchemas(copy)).toThrow(problem)
  expect(() => loadSchemas(copy)).toThrow(expect.objectContaining({ code: 'ERR_SCHEMA_SOURCE_INVALID' }))
})

test('a new field without a default is refused: old records lack it', () => {
  edit('users/User.avsc', (fields) =>
    fields.push({ name: 'nickname', doc: 'X.', type: 'string', 'rollcall.class': 'pii' }),
  )
  expect(rulesBroken()).toContain('compatible')
})

test('the loss of a field without a default is refused: old readers need it', () => {
  edit('users/User.avsc', (fields) =>
    fields.splice(
      fields.findIndex(({ name }) => name === 'userName'),
      1,
    ),
  )
  expect(rulesBroken()).toContain('compatible')
})

test('another type of a field is refused', () => {
  edit('users/User.avsc', (fields) =>
    Object.assign(fields.find(({ name }) => name === 'version') as object, { type: 'string' }),
  )
  expect(rulesBroken()).toContain('compatible')
})

test('a compatible change is asked to be frozen and generated, and is then well', () => {
  edit('users/User.avsc', (fields) =>
    fields.push({ name: 'nickname', doc: 'X.', type: ['null', 'string'], default: null, 'rollcall.class': 'pii' }),
  )
  expect(rulesBroken()).toEqual(['frozen', 'generated'])
  expect(freezeSchemas(loadSchemas(copy))).toContain('registered/UserCreated/2.avsc')
  expect(rulesBroken()).toEqual(['generated'])
  expect(freezeSchemas(loadSchemas(copy))).toEqual([])
})

test('an unfit form cannot be frozen', () => {
  edit('users/User.avsc', (fields) =>
    fields.push({ name: 'nickname', doc: 'X.', type: 'string', 'rollcall.class': 'pii' }),
  )
  expect(() => freezeSchemas(loadSchemas(copy))).toThrow('cannot read records written as version 1')
})

describe('the corpus', () => {
  const evolve = () =>
    edit('users/User.avsc', (fields) =>
      fields.push({
        ...{ name: 'nickname', doc: 'What friends say.', type: ['null', 'string'], default: null },
        'rollcall.class': 'pii',
      } as Fields[number]),
    )
  const problemsOf = (rule: string) => checkSchemas(loadSchemas(copy)).filter((problem) => problem.rule === rule)

  test('grows with each frozen version, and is read by the newest', () => {
    evolve()
    const written = freezeSchemas(loadSchemas(copy))
    expect(written).toContain('registered/UserCreated/2.avsc')
    expect(written).toContain('registered/UserCreated/2.events')
    expect(written).not.toContain('registered/UserCreated/1.events')
    expect(rulesBroken()).toEqual(['generated'])
    const created = loadSchemas(copy).events.find(({ name }) => name === 'UserCreated')
    expect(created?.frozen.map(({ version, samples }) => [version, samples?.length])).toEqual([
      [1, 4],
      [2, 4],
    ])
  })

  test('a frozen version without an event is refused, until freezing writes it', () => {
    rmSync(join(copy, 'registered/UserDeleted/1.events'))
    expect(problemsOf('corpus')).toEqual([
      expect.objectContaining({
        file: 'registered/UserDeleted/1.events',
        problem: expect.stringContaining('npm run freeze'),
      }),
    ])
    expect(freezeSchemas(loadSchemas(copy))).toEqual(['registered/UserDeleted/1.events'])
    expect(rulesBroken()).toEqual([])
  })

  test('an event that its version did not write is refused', () => {
    writeFileSync(join(copy, 'registered/UserDeleted/1.events'), 'AAAA\n')
    expect(problemsOf('corpus')).toHaveLength(1)
  })

  test("a schema that resolves, but whose events today's build refuses to read, is found", () => {
    // Resolves: both are strings in Avro. Version 1 wrote text that is no JSON.
    edit('users/User.avsc', (fields) => {
      const locale = fields.find(({ name }) => name === 'locale')
      Object.assign(locale as object, { type: ['null', { type: 'string', logicalType: 'json' }] })
    })
    expect(problemsOf('compatible')).toEqual([])
    expect(problemsOf('corpus').map(({ file }) => file)).toContain('registered/UserCreated/1.events')
  })

  test('holds each status, each actor, each branch of each union, and lists of none, one and two', () => {
    const users = corpusOf(userLifecycle).map(({ event }) => event.user)
    expect(new Set(users.map(({ status }) => status)).size).toBe(3)
    expect(new Set(users.map(({ emails }) => emails.length))).toEqual(new Set([0, 1, 2]))
    expect(new Set(users.map(({ name }) => name === null))).toEqual(new Set([true, false]))
  })
})

test('events of an older version are read with the defaults of today', () => {
  const [entry] = schemaCorpus.filter(({ type }) => type === 'UserCreated')
  const schema = JSON.parse(entry?.schema ?? '') as AvroRecord
  const user = schema.fields.find(({ name }) => name === 'user')?.type as AvroRecord
  const older = {
    ...schema,
    fields: schema.fields.map((field) =>
      field.name === 'user'
        ? { ...field, type: { ...user, fields: user.fields.filter(({ name }) => name !== 'phone') } }
        : field,
    ),
  }
  const corpus = [{ ...entry, version: 7, schema: JSON.stringify(older), values: sampleEvents(older) } as CorpusEntry]
  const found = corpusOf(userLifecycle, corpus)
  expect(found.map(({ type, schemaVersion, event }) => [type, schemaVersion, event.user.phone])).toEqual(
    Array.from({ length: 4 }, () => ['UserCreated', 7, null]),
  )
})
