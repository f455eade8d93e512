import { z } from 'zod'
import type { Subscriber } from './subscribers.js'

/**
 * What subscribers say they have just applied, heard over one stream from each of their processes. Streams are opened when
 * a write waits and closed when none has waited for a while. They make answers early, never possible: whatever a stream
 * misses is found by asking.
 */
export interface AppliedNews {
  /** Whether every live process of the subscriber is heard; opens the streams that are missing. */
  isHeard(subscriber: Subscriber): boolean
  /** Calls back for each version of the user that a subscriber applied; answers how to stop. */
  listen(userId: string, listener: (subscriber: string, version: number) => void): () => void
  close(): void
}

const IDLE_MS = 60_000
/** A process says something every second. */
const SILENT_MS = 5_000
const RETRY_MS = 1_000

interface Stream {
  readonly abort: AbortController
  isOpen: boolean
  usedAt: number
}

export function appliedNews(): AppliedNews {
  const streams = new Map<string, Stream>()
  const listeners = new Map<string, Set<(subscriber: string, version: number) => void>>()

  function isHeard({ service, projection, instances }: Subscriber): boolean {
    const name = `${service}/${projection}`
    const live = instances.filter(({ isLive }) => isLive)
    return (
      live
        .map(({ url }) => url !== undefined && streamOf(name, projection, url).isOpen)
        // Not lazily: the others are to be opened too.
        .every((isOpen) => isOpen) && live.length > 0
    )
  }

  function streamOf(name: string, projection: string, url: string): Stream {
    const place = new URL(`/admin/projections/${encodeURIComponent(projection)}/applied`, url).href
    const key = `${name} ${place}`
    let stream = streams.get(key)
    if (stream === undefined) {
      stream = { abort: new AbortController(), isOpen: false, usedAt: performance.now() }
      streams.set(key, stream)
      void hear(name, place, stream).finally(() => {
        // A process that is away is not called more often than this.
        setTimeout(() => streams.delete(key), RETRY_MS).unref()
      })
    }
    stream.usedAt = performance.now()
    return stream
  }

  async function hear(name: string, place: string, stream: Stream): Promise<void> {
    const silence = setTimeout(() => stream.abort.abort(), SILENT_MS)
    silence.unref()
    try {
      const response = await fetch(place, { signal: stream.abort.signal, redirect: 'error' })
      if (!response.ok || response.body === null) return
      let rest = ''
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        silence.refresh()
        if (performance.now() - stream.usedAt > IDLE_MS) return stream.abort.abort()
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > LONGEST_LINE) return stream.abort.abort()
        for (const line of lines) tell(name, news.parse(JSON.parse(line)))
        stream.isOpen = true
      }
    } catch {
      // Found by asking, as long as the stream is away.
    } finally {
      stream.isOpen = false
      clearTimeout(silence)
    }
  }

  function tell(name: string, versions: Readonly<Record<string, number>>): void {
    if (listeners.size === 0) return
    for (const userId in versions) {
      for (const listener of listeners.get(userId) ?? []) listener(name, versions[userId] as number)
    }
  }

  return {
    isHeard,
    listen(userId, listener) {
      const ofUser = listeners.get(userId) ?? new Set()
      listeners.set(userId, ofUser.add(listener))
      return () => {
        ofUser.delete(listener)
        if (ofUser.size === 0 && listeners.get(userId) === ofUser) listeners.delete(userId)
      }
    },
    close() {
      for (const { abort } of streams.values()) abort.abort()
    },
  }
}

const LONGEST_LINE = 4_194_304
const news = z.record(z.string(), z.number())
