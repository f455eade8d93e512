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

type Fields = { name: string; type: unknown; default?: unknown; 'rollcall.class'?: string }[]

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

test('a new field without a default is refused: old records lack it', () => {
  edit('users/User.avsc', (fields) => fields.push({ name: 'nickname', type: 'string', 'rollcall.class': 'pii' }))
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
    fields.push({ name: 'nickname', type: ['null', 'string'], default: null, 'rollcall.class': 'pii' }),
  )
  expect(rulesBroken()).toEqual(['frozen', 'generated'])
  expect(freezeSchemas(loadSchemas(copy))).toContain('registered/UserCreated/2.avsc')
  expect(rulesBroken()).toEqual(['generated'])
  expect(freezeSchemas(loadSchemas(copy))).toEqual([])
})

test('an unfit form cannot be frozen', () => {
  edit('users/User.avsc', (fields) => fields.push({ name: 'nickname', type: 'string', 'rollcall.class': 'pii' }))
  expect(() => freezeSchemas(loadSchemas(copy))).toThrow('cannot read records written as version 1')
})
