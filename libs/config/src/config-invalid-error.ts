import { RollcallError } from '@rollcall/errors'

/** `ERR_CONFIG_INVALID`: one or more environment variables are missing or wrong; `facts.problems` lists all of them. */
export class ConfigInvalidError extends RollcallError {
  constructor(problems: readonly string[]) {
    super({
      code: 'ERR_CONFIG_INVALID',
      message: `The environment has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
      facts: { problems },
    })
  }
}
