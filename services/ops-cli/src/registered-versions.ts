import { userLifecycle } from '@rollcall/events'
import type { EventSource, FrozenSchema } from '@rollcall/events/schemas'
import { sameShape } from '@rollcall/events/schemas'
import { z } from 'zod'
import type { ServiceClient } from './service-client.js'

/** A version of a subject, as the schema registry has it. */
export interface RegisteredVersion {
  readonly subject: string
  readonly version: number
  readonly id: number
  /** The version under `schemas/registered` with the same form; undefined when somebody registered another. */
  readonly frozen: FrozenSchema | undefined
}

const registered = z.object({ id: z.number(), version: z.number(), schema: z.string() })

/** Every version of every subject of the topic that the schema registry ever had, deleted ones too. */
export async function registeredVersions(
  registry: ServiceClient,
  events: readonly EventSource[],
): Promise<RegisteredVersion[]> {
  const { name, recordNames } = userLifecycle
  const eventOf = new Map<string, EventSource>(
    events.map((event) => [`${name}-${recordNames[event.name as keyof typeof recordNames]}`, event] as const),
  )
  const subjects = await registry.get('/subjects?deleted=true', z.array(z.string()))
  const versions: RegisteredVersion[] = []
  for (const subject of subjects.filter((one) => one.startsWith(`${name}-`)).sort()) {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    for (const version of await registry.get(`${path}?deleted=true`, z.array(z.number()))) {
      const found = await registry.get(`${path}/${version}?deleted=true`, registered)
      versions.push({ subject, version, id: found.id, frozen: frozenAs(found.schema, eventOf.get(subject)) })
    }
  }
  return versions
}

function frozenAs(schema: string, event: EventSource | undefined): FrozenSchema | undefined {
  const parsed = JSON.parse(schema) as Parameters<typeof sameShape>[0]
  return event?.frozen.find((one) => sameShape(one.schema, parsed))
}
