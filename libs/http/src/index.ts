export type { App } from './app.js'
export { type AppOptions, createApp } from './create-app.js'
export { decodeCursor, encodeCursor } from './cursor.js'
export { type EntityTags, etagOf, ifMatchAllows, ifNoneMatchHolds, parseEntityTags } from './entity-tag.js'
export {
  BodyMalformedError,
  CursorInvalidError,
  HostNotLoopbackError,
  IfMatchInvalidError,
  PortTakenError,
  PreconditionFailedError,
  RequestInvalidError,
} from './http-errors.js'
export { type Problem, type ProblemError, problemSchema } from './problem.js'
export { runMain } from './run-main.js'
export { type ServeOptions, serve } from './serve.js'
export { type UntilAvailableOptions, untilAvailable } from './until-available.js'
