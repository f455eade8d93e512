import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { RollcallError } from '@rollcall/errors'

/** What is used of a Fastify reply. */
export interface StreamedReply {
  readonly raw: { once(event: 'close', listener: () => void): unknown }
  readonly log: { error(facts: object, message: string): void }
  type(contentType: string): { send(payload: unknown): unknown }
}

/** What a long piece of work is given: it ends when the caller is gone, and tells how far it is. */
export interface WorkHooks<Progress> {
  readonly signal: AbortSignal
  progress(progress: Progress): void
}

/**
 * Answers with NDJSON while the work goes on: `{"progress":…}` now and then, at last `{"report":…}` or `{"error":…}`. What
 * fails before the first progress is an ordinary problem.
 */
export async function streamWork<Progress, Report>(
  reply: StreamedReply,
  work: (hooks: WorkHooks<Progress>) => Promise<Report>,
): Promise<void> {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  let latest: Progress | undefined
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const ended = work({
    signal: gone.signal,
    progress(progress) {
      latest = progress
      begin()
    },
  })
  await Promise.race([begun, ended])

  async function* lines(): AsyncGenerator<string> {
    const result = ended.then(
      (report) => ({ report }),
      (error: unknown) => ({ error: spoken(error, reply) }),
    )
    for (;;) {
      const done = await Promise.race([result, delay(TELL_EVERY_MS, undefined, { ref: false })])
      if (done !== undefined) {
        yield `${JSON.stringify(done)}\n`
        return
      }
      // An unchanged line as well: it keeps whoever stands between awake.
      yield `${JSON.stringify({ progress: latest })}\n`
    }
  }
  reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(lines(), { objectMode: false }))
}

const TELL_EVERY_MS = 500

// Its own words only when they carry a code: others may quote data.
function spoken(error: unknown, { log }: StreamedReply): { code: string; detail: string } {
  if (error instanceof RollcallError) return { code: error.code, detail: error.message }
  log.error({ err: error }, 'work on a projection failed')
  return { code: 'ERR_INTERNAL', detail: 'It failed for a reason that only the log of the service tells.' }
}
