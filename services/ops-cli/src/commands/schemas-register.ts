import { createCodec, userLifecycle } from '@rollcall/events'
import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { address } from '../endpoints.js'

/** `rollcall schemas register` */
export const schemasRegisterCommand = (act: Act): Command =>
  new Command('register')
    .summary('register the event schemas of this build')
    .description(
      'Registers what is missing, under FULL_TRANSITIVE compatibility. An incompatible schema is refused with the reason.',
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 registered, 1 refused or not reachable, 2 wrong usage.

Example:
  rollcall schemas register`,
    )
    .action(act(registerSchemas))

async function registerSchemas(context: CommandContext): Promise<Outcome> {
  const schemaRegistryUrl = address(context.endpoints, 'schemaRegistry')
  await createCodec(userLifecycle, { schemaRegistryUrl, register: true }).ready()
  await context.terminal.result(
    { topic: userLifecycle.name, registered: true },
    () => `The schemas of ${userLifecycle.name} are registered.`,
  )
  return 'done'
}
