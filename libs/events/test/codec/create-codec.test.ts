import { testEndpoints } from '@rollcall/dev'
import { createCodec } from '../../src/codec/create-codec.js'
import { history, userCreated } from '../../src/testing/index.js'
import { userLifecycle } from '../../src/user-lifecycle.js'

const codec = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true })

beforeAll(() => codec.ready())

test('every event comes back as it went', async () => {
  for (const event of history(40)) expect(await codec.decode(codec.encode(event))).toEqual(event)
})

test('a known schema is decoded without waiting', () => {
  expect(codec.decode(codec.encode(userCreated()))).not.toBeInstanceOf(Promise)
})

test('a reader without the schema fetches it once for all who wait', async () => {
  const cold = createCodec(userLifecycle, { schemaRegistryUrl: testEndpoints().schemaRegistry })
  const event = userCreated()
  const value = codec.encode(event)
  const decoded = await Promise.all(Array.from({ length: 20 }, () => cold.decode(value)))
  expect(decoded).toEqual(Array.from({ length: 20 }, () => event))
  expect(cold.decode(value)).toEqual(event)
})

test('an event that does not fit is refused by the names of its fields, never by their values', () => {
  const event = userCreated()
  const wrong = { ...event, user: { ...event.user, userName: 7, version: 'canary-value' } } as unknown as typeof event
  expect(() => codec.encode(wrong)).toThrow(expect.objectContaining({ code: 'ERR_EVENT_INVALID' }))
  expect(() => codec.encode(wrong)).toThrow(/userName/)
  expect(() => codec.encode(wrong)).not.toThrow(/canary-value/)
})

const failure = async (value: Buffer) => {
  try {
    await codec.decode(value)
    return 'decoded'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('bytes that are no event are refused as such, and cost nothing', async () => {
  const good = codec.encode(userCreated())
  expect(await failure(Buffer.alloc(0))).toBe('ERR_EVENT_MALFORMED')
  expect(await failure(Buffer.from('{"json": true}'))).toBe('ERR_EVENT_MALFORMED')
  expect(await failure(good.subarray(0, good.length - 3))).toBe('ERR_EVENT_MALFORMED')
  expect(await failure(Buffer.concat([good, Buffer.from('tail')]))).toBe('ERR_EVENT_MALFORMED')
  const unknownId = Buffer.from(good)
  unknownId.writeInt32BE(2_000_000_000, 1)
  expect(await failure(unknownId)).toBe('ERR_SCHEMA_UNKNOWN')
})

test('mutilated bytes never crash and never hang', async () => {
  const good = codec.encode(userCreated())
  for (let at = 5; at < good.length; at += 3) {
    for (const byte of [0x00, 0x7f, 0xff]) {
      const bad = Buffer.from(good)
      bad[at] = byte
      await failure(bad)
    }
  }
})

test('a registry that is away is a retryable error', async () => {
  const away = createCodec(userLifecycle, { schemaRegistryUrl: 'http://127.0.0.1:9/apis/ccompat/v7' })
  await expect(away.ready()).rejects.toMatchObject({ code: 'ERR_SCHEMA_REGISTRY_UNREACHABLE', retryable: true })
})

test('many who register a new topic at the same moment all succeed, with the same ids', async () => {
  const fresh = { ...userLifecycle, name: `race.${process.pid}.${Date.now()}` }
  const registrars = Array.from({ length: 6 }, () =>
    createCodec(fresh, { schemaRegistryUrl: testEndpoints().schemaRegistry, register: true }),
  )
  await Promise.all(registrars.map((one) => one.ready()))
  const event = userCreated()
  const [first, ...others] = registrars.map((one) => one.encode(event))
  for (const other of others) expect(other).toEqual(first)
})
