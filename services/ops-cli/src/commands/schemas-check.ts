import { userLifecycle } from '@rollcall/events'
import { checkSchemas, loadSchemas } from '@rollcall/events/schemas'
import { Command } from 'commander'
import type { Act, CommandContext, Outcome } from '../command-context.js'
import { address, ENDPOINT_NAMES } from '../endpoints.js'
import { createServiceClient } from '../service-client.js'
import { columns, counted } from '../terminal.js'

/** `rollcall schemas check` */
export const schemasCheckCommand = (act: Act): Command =>
  new Command('check')
    .summary('check the contracts, and that the schema registry has them')
    .description(
      `Checks schemas/: every field classified, every event compatible with every version registered before, generated types up to date. Then asks the schema registry for the schemas of this build. Changes nothing.`,
    )
    .option('--offline', 'do not ask the schema registry')
    .addHelpText(
      'after',
      `
Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage.

Examples:
  rollcall schemas check
  rollcall schemas check --offline`,
    )
    .action(act(checkAllSchemas))

async function checkAllSchemas(context: CommandContext, { offline = false }: { offline?: boolean }): Promise<Outcome> {
  const { terminal } = context
  const schemas = loadSchemas()
  const problems = checkSchemas(schemas)
  const unregistered = offline ? [] : await unregisteredTypes(context)
  const ok = problems.length === 0 && unregistered.length === 0
  const events = schemas.events.length
  await terminal.result({ ok, events, problems, unregistered, registryAsked: !offline }, () =>
    [
      ...(problems.length > 0
        ? [
            columns(
              ['RULE', 'FILE', 'PROBLEM'],
              problems.map(({ rule, file, problem }) => [rule, file, problem]),
            ),
          ]
        : []),
      ...unregistered.map((type) => `${type} is not registered; register it with: rollcall schemas register`),
      ok ? `${counted(events, 'event')} are as they must be${offline ? '' : ', and registered'}.` : '',
    ]
      .filter(Boolean)
      .join('\n'),
  )
  return ok ? 'done' : 'wrong'
}

/** Types of the topic whose schema, as this build has it, the registry does not know. */
async function unregisteredTypes({ endpoints, signal }: CommandContext): Promise<string[]> {
  const { name, schemas, recordNames } = userLifecycle
  const registry = createServiceClient(
    ENDPOINT_NAMES.schemaRegistry.spoken,
    address(endpoints, 'schemaRegistry'),
    signal,
  )
  const missing: string[] = []
  for (const [type, schema] of Object.entries(schemas)) {
    const subject = encodeURIComponent(`${name}-${recordNames[type as keyof typeof recordNames]}`)
    const answer = await registry.request(`/subjects/${subject}`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schemaType: 'AVRO', schema: JSON.stringify(schema) }),
      expect: [404],
    })
    await answer.arrayBuffer()
    if (answer.status === 404) missing.push(type)
  }
  return missing
}
