import { RollcallError } from '@rollcall/errors'

/** `ERR_PROJECTION_INVALID`: a definition, or what its `row` returned, cannot be used. */
export class ProjectionInvalidError extends RollcallError {
  constructor(name: string, problem: string) {
    super({
      code: 'ERR_PROJECTION_INVALID',
      message: `Projection '${name}' cannot be used: ${problem}.`,
      facts: { projection: name },
    })
  }
}
