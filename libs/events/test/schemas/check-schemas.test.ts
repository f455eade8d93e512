import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkSchemas } from '../../src/schemas/check-schemas.js'
import { freezeSchemas } from '../../src/schemas/freeze-schemas.js'
import { loadSchemas } from '../../src/schemas/load-schemas.js'

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
