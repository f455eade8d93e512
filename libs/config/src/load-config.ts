import type { z } from 'zod'
import { ConfigInvalidError } from './config-invalid-error.js'

/**
 * Reads typed configuration from the environment. The only reader of `process.env` in the repository.
 *
 * @param shape zod object whose keys are environment variable names; an empty value counts as absent.
 * @throws ConfigInvalidError naming every variable that is missing or wrong, and its value unless the name says it is secret.
 */
export function loadConfig<Shape extends z.ZodObject>(
  shape: Shape,
  env: Readonly<Record<string, string | undefined>> = process.env,
): z.output<Shape> {
  const given = Object.fromEntries(Object.keys(shape.shape).map((name) => [name, env[name] || undefined]))
  const parsed = shape.safeParse(given)
  if (parsed.success) return parsed.data
  throw new ConfigInvalidError(
    parsed.error.issues.map(({ path, message }) => {
      const name = path.join('.')
      const value = given[String(path[0])]
      if (value === undefined) return `${name} is missing: ${message}`
      return `${name}=${isSecret(name) ? '(hidden)' : JSON.stringify(value)}: ${message}`
    }),
  )
}

const isSecret = (name: string) => /PASSWORD|SECRET|TOKEN|KEY|DATABASE_URL/.test(name)
