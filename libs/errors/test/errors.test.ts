import { errorCode, isRetryable, RollcallError, toErrorFacts } from '../src/index.js'

class ThingTakenError extends RollcallError {
  constructor(cause?: unknown) {
    super({ code: 'ERR_THING_TAKEN', message: 'The thing is taken.', facts: { thing: 7 }, cause })
  }
}

test('an error carries its code, its facts and the name of its class', () => {
  const error = new ThingTakenError()
  expect(error).toMatchObject({
    name: 'ThingTakenError',
    code: 'ERR_THING_TAKEN',
    retryable: false,
    facts: { thing: 7 },
  })
  expect(error).not.toHaveProperty('cause')
})

test('the first error of a chain that takes a stand says whether a retry may help', () => {
  expect(isRetryable(new Error('unknown'))).toBe(false)
  expect(isRetryable(new Error('outer', { cause: { retriable: true } }))).toBe(true)
  expect(isRetryable(new ThingTakenError({ retriable: true }))).toBe(false)
  expect(isRetryable(undefined)).toBe(false)
})

test('the code is that of the first error of the chain that has one', () => {
  expect(errorCode(new Error('outer', { cause: new ThingTakenError() }))).toBe('ERR_THING_TAKEN')
  expect(errorCode(new Error('none'))).toBeUndefined()
})

test('a chain that bites its tail ends', () => {
  const one = new Error('one') as Error & { cause?: unknown }
  one.cause = one
  expect(isRetryable(one)).toBe(false)
  expect(JSON.stringify(toErrorFacts(one)).length).toBeLessThan(1_000)
})

test('what is stored of an error is its facts, without stacks', () => {
  expect(toErrorFacts(new ThingTakenError(new Error('below')))).toEqual({
    name: 'ThingTakenError',
    message: 'The thing is taken.',
    code: 'ERR_THING_TAKEN',
    retryable: false,
    facts: { thing: 7 },
    cause: { name: 'Error', message: 'below' },
  })
  expect(toErrorFacts('thrown text')).toEqual({ name: 'NonError', message: 'thrown text' })
})
