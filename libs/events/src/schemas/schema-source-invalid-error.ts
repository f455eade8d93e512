import { RollcallError } from '@rollcall/errors'

/** `ERR_SCHEMA_SOURCE_INVALID`: a file under `schemas/` cannot be read as what it should be; the message names the file. */
export class SchemaSourceInvalidError extends RollcallError {
  constructor(file: string, problem: string, cause?: unknown) {
    super({ code: 'ERR_SCHEMA_SOURCE_INVALID', message: `schemas/${file}: ${problem}`, facts: { file }, cause })
  }
}
