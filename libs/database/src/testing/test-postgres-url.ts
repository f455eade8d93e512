import { readFileSync } from 'node:fs'
import { RollcallError } from '@rollcall/errors'

/**
 * The Postgres server of the running test stack: the jest global setup starts the stack and names its endpoints
 * file in ROLLCALL_TEST_ENDPOINTS.
 */
export function testPostgresUrl(): string {
  // biome-ignore lint/style/noProcessEnv: set by the test runner for its own workers; no service ever reads it
  const file = process.env.ROLLCALL_TEST_ENDPOINTS
  if (file === undefined) {
    throw new RollcallError({
      code: 'ERR_TEST_STACK_MISSING',
      message: 'ROLLCALL_TEST_ENDPOINTS is not set: run the tests with `npm test`, which starts the stack.',
    })
  }
  const { postgres } = JSON.parse(readFileSync(file, 'utf8')) as { postgres?: unknown }
  if (typeof postgres !== 'string') throw new TypeError(`${file} names no postgres`)
  return postgres
}
