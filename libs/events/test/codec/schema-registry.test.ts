import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { testEndpoints } from '@rollcall/dev'
import type { AvroField, AvroRecord } from '../../src/avro-schema.js'
import { createCodec } from '../../src/codec/create-codec.js'
import { defineTopic } from '../../src/topic.js'

// A topic of its own, whose only event can change its fields as a new build would.
interface Noted {
  readonly type: string
  readonly id: string
  readonly [field: string]: unknown
}
const run = `${process.pid}.${Date.now()}`
const topicOf = (fields: AvroField[], { name = `notes.${run}`, type = 'Noted' } = {}) =>
  defineTopic<Noted>({
    name,
    schemas: {
      [type]: { type: 'record', name: type, namespace: 'test', fields: [ID, ...fields] } satisfies AvroRecord,
    },
    key: ({ id }) => id,
  })
const ID: AvroField = { name: 'id', type: 'string' }
const TEXT: AvroField = { name: 'text', type: 'string', default: 'none' }

const real = { schemaRegistryUrl: testEndpoints().schemaRegistry }

test('an event of last year is read as one of today, and one of today by a build of last year', async () => {
  const [old, now] = [
    createCodec(topicOf([]), { ...real, register: true }),
    createCodec(topicOf([TEXT]), { ...real, register: true }),
  ]
  await old.ready()
  await now.ready()
  const early = old.encode({ type: 'Noted', id: 'a' })
  const late = now.encode({ type: 'Noted', id: 'b', text: 'hello' })
  expect(await now.decode(early)).toStrictEqual({ type: 'Noted', id: 'a', text: 'none' })
  expect(await old.decode(late)).toStrictEqual({ type: 'Noted', id: 'b' })
})

test('a schema that old records cannot be read with is refused by the registry, with its reason', async () => {
  const name = `refused.${run}`
  await createCodec(topicOf([TEXT], { name }), { ...real, register: true }).ready()
  const changed = createCodec(topicOf([{ ...TEXT, type: 'long', default: 0 }], { name }), { ...real, register: true })
  await expect(changed.ready()).rejects.toMatchObject({
    code: 'ERR_SCHEMA_INCOMPATIBLE',
    retryable: false,
    message: expect.stringContaining(`${name}-test.Noted`),
  })
})

test('a registration that was cut before the subject had its level is finished by the next one', async () => {
  const topic = topicOf([], { name: `half.${run}` })
  const subject = `${topic.name}-test.Noted`
  await fetch(`${real.schemaRegistryUrl}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ schema: JSON.stringify(topic.schemas.Noted) }),
  })
  await createCodec(topic, { ...real, register: true }).ready()
  const level = await fetch(`${real.schemaRegistryUrl}/config/${subject}`)
  expect(await level.json()).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' })
})

test('a consumer needs no registered schema to be ready, but cannot encode without', async () => {
  const codec = createCodec(topicOf([], { name: `unregistered.${run}` }), real)
  await codec.ready()
  expect(() => codec.encode({ type: 'Noted', id: 'a' })).toThrow(
    expect.objectContaining({ code: 'ERR_SCHEMA_NOT_REGISTERED' }),
  )
})

test('a record of a type that the topic does not carry is refused by its name', async () => {
  const stranger = createCodec(topicOf([], { type: 'Stranger' }), { ...real, register: true })
  await stranger.ready()
  const value = stranger.encode({ type: 'Stranger', id: 'a' })
  const codec = createCodec(topicOf([]), real)
  await expect(codec.decode(value)).rejects.toMatchObject({
    code: 'ERR_EVENT_TYPE_UNKNOWN',
    message: expect.stringContaining('test.Stranger'),
  })
})

test('a record that this build cannot read says why', async () => {
  const other = createCodec(topicOf([{ name: 'text', type: 'long' }], { name: `other.${run}` }), {
    ...real,
    register: true,
  })
  await other.ready()
  const value = other.encode({ type: 'Noted', id: 'a', text: 7 })
  await expect(createCodec(topicOf([TEXT]), real).decode(value)).rejects.toMatchObject({
    code: 'ERR_SCHEMA_INCOMPATIBLE',
    message: expect.stringContaining('long'),
  })
})

describe('with a registry that we play', () => {
  const asked: string[] = []
  let answer: () => { status: number; body: unknown }
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { status, body } = answer()
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  const played = () => ({ schemaRegistryUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const schema = JSON.stringify(topicOf([]).schemas.Noted)
  const value = Buffer.from([0, 0, 0, 0, 9, 2, 0x61])

  beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => void asked.splice(0))

  test('a hundred records of an unknown schema ask once, and later ones not at all', async () => {
    answer = () => ({ status: 200, body: { schema } })
    const codec = createCodec(topicOf([]), played())
    await Promise.all(Array.from({ length: 100 }, () => codec.decode(value)))
    expect(codec.decode(value)).toEqual({ type: 'Noted', id: 'a' })
    expect(asked).toEqual(['GET /schemas/ids/9'])
  })

  test('an id that is unknown is not asked for again at once, and not forgotten for ever', async () => {
    answer = () => ({ status: 404, body: { error_code: 40403, message: 'No such schema' } })
    const patient = createCodec(topicOf([]), { ...played(), unknownForMs: 60_000 })
    for (let i = 0; i < 3; i++)
      await expect(patient.decode(value)).rejects.toMatchObject({ code: 'ERR_SCHEMA_UNKNOWN' })
    expect(asked).toHaveLength(1)
    const eager = createCodec(topicOf([]), { ...played(), unknownForMs: 0 })
    await expect(eager.decode(value)).rejects.toMatchObject({ code: 'ERR_SCHEMA_UNKNOWN', retryable: false })
    answer = () => ({ status: 200, body: { schema } })
    expect(await eager.decode(value)).toEqual({ type: 'Noted', id: 'a' })
  })

  test.each([
    ['a schema that lets few bytes claim much', { schema: '{"type":"array","items":"null"}' }],
    [
      'a schema that nests without end',
      { schema: `${'{"type":"array","items":'.repeat(20_000)}"int"${'}'.repeat(20_000)}` },
    ],
    ['a schema with a map', { schema: '{"type":"map","values":"int"}' }],
    ['a schema that is no Avro', { schema: 'syntax = "proto3";', schemaType: 'PROTOBUF' }],
    ['a schema of 3 MB', { schema: JSON.stringify({ type: 'string', doc: 'x'.repeat(3e6) }) }],
  ])('%s is the fault of the record, for good, and is not asked for at each', async (_what, body) => {
    answer = () => ({ status: 200, body })
    const codec = createCodec(topicOf([]), played())
    for (let i = 0; i < 3; i++)
      await expect(codec.decode(value)).rejects.toMatchObject({ code: 'ERR_SCHEMA_UNREADABLE', retryable: false })
    expect(asked).toHaveLength(1)
  })

  test('a 404 of somebody else than the registry is no word about the schema', async () => {
    answer = () => ({ status: 404, body: 'nginx' })
    await expect(createCodec(topicOf([]), played()).decode(value)).rejects.toMatchObject({
      code: 'ERR_SCHEMA_REGISTRY_REFUSED',
    })
  })

  test('a registry that fails is asked again, and then said to be away', async () => {
    answer = () => ({ status: 500, body: { message: 'out of order' } })
    await expect(createCodec(topicOf([]), played()).decode(value)).rejects.toMatchObject({
      code: 'ERR_SCHEMA_REGISTRY_UNREACHABLE',
      retryable: true,
    })
    expect(asked.length).toBeGreaterThan(1)
  })

  test('a registry that wants other credentials is not asked for ever', async () => {
    answer = () => ({ status: 401, body: { message: 'who are you?' } })
    await expect(createCodec(topicOf([]), played()).decode(value)).rejects.toMatchObject({
      code: 'ERR_SCHEMA_REGISTRY_REFUSED',
      retryable: false,
    })
  })

  test('a failed start can be tried again', async () => {
    answer = () => ({ status: 500, body: {} })
    const codec = createCodec(topicOf([]), played())
    await expect(codec.ready()).rejects.toMatchObject({ retryable: true })
    answer = () => ({ status: 200, body: { id: 9 } })
    await codec.ready()
    expect(codec.encode({ type: 'Noted', id: 'a' })).toEqual(value)
  })
})
