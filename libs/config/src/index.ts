export { ConfigInvalidError } from './config-invalid-error.js'
export { booleanText, durationMs, listOf, port } from './fields.js'
export { loadConfig } from './load-config.js'
export { loopbackHost } from './loopback.js'
