export { type GeneratedFile, generateTypes } from './generate-types.js'
export { inline } from './inline.js'
export { type EventSource, type FrozenSchema, loadSchemas, type Schemas, type TopicSource } from './load-schemas.js'
export { SchemaSourceInvalidError } from './schema-source-invalid-error.js'
