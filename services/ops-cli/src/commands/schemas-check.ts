import { userLifecycle } from '@rollcall/events'
import { checkSchemas, loadSchemas } from '@rollcall/events/schemas'
import { Command } from 'commander'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { address, ENDPOINT_NAMES } from '../endpoints.js'
import { type RegisteredVersion, registeredVersions } from '../registered-versions.js'
import { type RehearsalFailure, rehearseCorpus } from '../rehearse-corpus.js'
import { createServiceClient, type ServiceClient } from '../service-client.js'
import { columns, counted } from '../terminal.js'

/** `rollcall schemas check` */
export const schemasCheckCommand = (act: Act): Command =>
  new Command('check')
    .summary('check the contracts, and that the schema registry has them')
    .description(
      `Checks schemas/: every field classified, every event compatible with every version registered before, events of each of those versions read by this build, generated types up to date. Then asks the schema registry for the schemas of this build, and whether schemas/registered knows each version it ever had; and has every projection take events of each of those, in transactions that are rolled back. Changes nothing.`,
    )
    .option('--offline', 'ask neither the schema registry nor the directory')
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
  const { terminal, endpoints } = context
  const schemas = loadSchemas()
  const problems: Problem[] = checkSchemas(schemas)
  const registry = offline ? undefined : registryOf(context)
  const unregistered = registry ? await unregisteredTypes(registry) : []
  const versions = registry ? await registeredVersions(registry, schemas.events) : []
  problems.push(...versions.filter(({ frozen }) => frozen === undefined).map(unknownVersion))
  const isRehearsed = !offline && endpoints.directory !== undefined
  const rehearsal = isRehearsed ? await rehearseCorpus(clientOf(context, 'directory'), versions) : undefined
  problems.push(...(rehearsal?.failures ?? []).map(refusedEvent))
  const ok = problems.length === 0 && unregistered.length === 0
  const events = schemas.events.length
  const readVersions = schemas.events.reduce((sum, { frozen }) => sum + frozen.length, 0)
  const projections = rehearsal?.projections ?? null
  const result = { ok, events, schemaVersions: readVersions, registeredVersions: versions.length, projections }
  await terminal.result({ ...result, problems, unregistered, registryAsked: !offline }, () =>
    [
      ...(problems.length > 0
        ? [
            columns(
              ['RULE', 'WHERE', 'PROBLEM'],
              problems.map(({ rule, file, problem }) => [rule, file, problem]),
            ),
          ]
        : []),
      ...unregistered.map((type) => `${type} is not registered; register it with: rollcall schemas register`),
      ...(ok ? [`${counted(events, 'event')} are as they must be${offline ? '' : ', and registered'}.`] : []),
      ...(ok ? [`${counted(readVersions, 'schema version')} are read by this build.`] : []),
      ...(ok && projections ? [`Taken by: ${projections.join(', ') || 'no projection, none runs'}.`] : []),
    ].join('\n'),
  )
  return ok ? 'done' : 'wrong'
}

interface Problem {
  readonly rule: string
  readonly file: string
  readonly problem: string
}

const registryOf = ({ endpoints, signal }: CommandContext): ServiceClient =>
  createServiceClient(ENDPOINT_NAMES.schemaRegistry.spoken, address(endpoints, 'schemaRegistry'), signal)

const unknownVersion = ({ subject, version, id }: RegisteredVersion): Problem => ({
  rule: 'registered',
  file: subject,
  problem: `version ${version} (id ${id}) stands nowhere under schemas/registered: somebody registered it by hand, or another build did`,
})

const refusedEvent = ({ projection, subject, version, code, message }: RehearsalFailure): Problem => ({
  rule: 'taken',
  file: subject,
  problem: `projection ${projection} does not take an event of version ${version}: ${code} ${message}`,
})

/** Types of the topic whose schema, as this build has it, the registry does not know. */
async function unregisteredTypes(registry: ServiceClient): Promise<string[]> {
  const { name, schemas, recordNames } = userLifecycle
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
