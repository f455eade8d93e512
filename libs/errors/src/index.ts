export { errorCode, isRetryable } from './classify.js'
export { type ErrorFacts, RollcallError, type RollcallErrorOptions } from './rollcall-error.js'
export { type SerializedError, toErrorFacts } from './serialize.js'
