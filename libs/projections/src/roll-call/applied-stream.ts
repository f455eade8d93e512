import { Readable } from 'node:stream'
import type { AppliedListener } from './applied-feed.js'

/**
 * What is applied from now on, as lines of JSON: `{"<user id>": version, …}`, the commits of one moment in one line, and
 * an empty one every second, so that the reader can tell silence from a dead connection. The stream of a reader who does
 * not keep up ends: it may have missed something and has to ask.
 */
export function appliedStream(
  follow: (listener: AppliedListener) => () => void,
  { beatMs = BEAT_MS, mostBuffered = MOST_BUFFERED } = {},
): Readable {
  let news: Record<string, number> | undefined
  const stream = new Readable({ read() {}, highWaterMark: mostBuffered })
  const tell = () => {
    const line = news ?? {}
    news = undefined
    if (stream.destroyed || stream.push(`${JSON.stringify(line)}\n`)) return
    stream.push(null)
    unfollow()
  }
  const unfollow = follow((versions) => {
    if (news === undefined) {
      news = Object.create(null) as Record<string, number>
      setImmediate(tell)
    }
    for (const [userId, version] of versions) news[userId] = version
  })
  const beat = setInterval(tell, beatMs)
  beat.unref()
  stream.once('close', () => {
    clearInterval(beat)
    unfollow()
  })
  // The answer begins at once: the reader knows from when on it is told.
  tell()
  return stream
}

const BEAT_MS = 1_000
const MOST_BUFFERED = 1_048_576
