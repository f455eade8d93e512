import { readFileSync } from 'node:fs'
import { testEndpoints } from '@rollcall/dev'
import { cloudEventHeaders, createCodec, userLifecycle } from '../src/index.js'
import { userUpdated } from '../src/testing/index.js'

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const codesIn = (source: string) => new Set(source.match(/ERR_[A-Z_]+/g))

test('the example of the README works', async () => {
  const { schemaRegistry: schemaRegistryUrl } = testEndpoints()
  const event = userUpdated()

  const codec = createCodec(userLifecycle, { schemaRegistryUrl, register: true })
  await codec.ready()
  const value = codec.encode(event)
  const same = await codec.decode(value)
  const headers = cloudEventHeaders(event, { source: '/services/user-registry' })

  expect(same).toEqual(event)
  expect(headers.ce_sequence).toBe('2')
})

test('the README names every error code, and no other', () => {
  const source = text('../src/codec/codec-errors.ts') + text('../src/schemas/schema-source-invalid-error.ts')
  expect(codesIn(text('../README.md'))).toEqual(codesIn(source))
})

test('the worked evolution names files and commands that exist', () => {
  const page = text('../../../schemas/README.md')
  const { scripts } = JSON.parse(text('../package.json')) as { scripts: Record<string, string> }
  const root = JSON.parse(text('../../../package.json')) as { scripts: Record<string, string> }
  const commands = [...page.matchAll(/npm run ([\w:]+)( -w libs\/events)?/g)]
  expect(commands.length).toBeGreaterThan(2)
  for (const [, script = '', here] of commands) expect(Object.keys(here ? scripts : root.scripts)).toContain(script)
  for (const [, path = ''] of page.matchAll(/`((?:services|libs)\/[\w/.-]+)`/g)) {
    expect(() => readFileSync(new URL(`../../../${path}`, import.meta.url))).not.toThrow(/ENOENT/)
  }
})
