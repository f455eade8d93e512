import { setTimeout as sleep } from 'node:timers/promises'

export interface FreshnessProbe {
  /** Ends the probe; milliseconds from a write's answer to its being readable in the directory, one per write. */
  stop(): Promise<number[]>
}

/** Changes one user again and again and measures how long the directory takes to know each change. */
export async function startFreshnessProbe({
  registry,
  directory,
  everyMs = 50,
}: {
  registry: string
  directory: string
  everyMs?: number
}): Promise<FreshnessProbe> {
  const name = `probe-${Date.now()}-${Math.floor(performance.now())}`
  const created = await fetch(`${registry}/v1/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userName: name, emails: [{ value: `${name}@drill.example`, primary: true }] }),
  })
  const { id } = (await created.json()) as { id: string }
  const latencies: number[] = []
  let stopped = false

  const loop = (async () => {
    for (let change = 1; !stopped; change++) {
      const written = await fetch(`${registry}/v1/users/${id}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ attributes: { probe: change } }),
      })
      const answeredAt = performance.now()
      const token = written.headers.get('rollcall-version')
      await written.arrayBuffer()
      if (!written.ok || token === null)
        throw new Error(`The registry answered ${written.status} to the probe's change.`)
      const read = await fetch(`${directory}/v1/people/${id}?atLeast=${encodeURIComponent(token)}`)
      await read.arrayBuffer()
      if (read.ok) latencies.push(performance.now() - answeredAt)
      await sleep(everyMs)
    }
  })()
  loop.catch(() => {})
  return {
    async stop() {
      stopped = true
      await loop
      return latencies
    },
  }
}
