import { parseArgs } from 'node:util'
import { ConfigInvalidError } from '@rollcall/config'
import type { Pool } from '@rollcall/database'
import { type ReanchorOptions, reanchorRelay } from '@rollcall/outbox'

/**
 * The way out of `ERR_OUTBOX_DATABASE_CHANGED`: `relay-main.js reanchor --resend pending|everything|nothing` gives the relay
 * a new position and ends. Undefined: the process is to relay.
 *
 * @throws ConfigInvalidError
 */
export function reanchorCommand(args: readonly string[]): ((pool: Pool) => Promise<string>) | undefined {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    strict: false,
    options: { resend: { type: 'string' } },
  })
  // Options alone name the process to those who look for it (infra/dev); a word asks for something.
  if (positionals.length === 0) return undefined
  const { resend } = values
  if (positionals.length !== 1 || positionals[0] !== 'reanchor' || !isResend(resend)) {
    throw new ConfigInvalidError([`"${args.join(' ')}": expected reanchor --resend pending|everything|nothing`])
  }
  return async (pool) => {
    const messages = await reanchorRelay(pool, { resend })
    return `The relay has a new position; it will send ${messages} messages again. Start it.`
  }
}

const isResend = (value: unknown): value is ReanchorOptions['resend'] =>
  value === 'pending' || value === 'everything' || value === 'nothing'
