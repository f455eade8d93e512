import { setTimeout as delay } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { type Act, type CommandContext, clientOf, type Outcome } from '../command-context.js'
import { UsageInvalidError } from '../command-errors.js'
import { uuid } from '../option-values.js'
import { startProgress } from '../progress.js'
import { counted, grouped } from '../terminal.js'

const plan = z.object({
  id: z.number().nullable(),
  messages: z.number(),
  firstAt: z.string().nullable(),
  lastAt: z.string().nullable(),
})
const job = z.object({
  id: z.number(),
  sent: z.number(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
})

/** `rollcall outbox republish --user <id> | --since <time>` */
export const outboxRepublishCommand = (act: Act): Command =>
  new Command('republish')
    .summary('send events from the outbox to their topic once more')
    .description(
      'The leading relay sends them with the ids and versions they have, in order, beside its live traffic; consumers that know them skip them. For a topic that lost records. It goes back as far as the outbox keeps events.',
    )
    .option('--user <id>', 'the events of this user', uuid)
    .option('--since <time>', 'all events written since, such as 2026-01-31T08:00:00Z', time)
    .requiredOption('--reason <text>', 'why; kept with who and when')
    .option('--dry-run', 'say what would be sent, and do nothing')
    .option('--no-wait', 'do not wait until all are sent')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 there is nothing to send or it was refused, 2 wrong usage.

Examples:
  rollcall outbox republish --user 0190c2f0-… --reason "incident 17" --dry-run
  rollcall outbox republish --since 2026-01-31T08:00:00Z --reason "the topic was made anew"`,
    )
    .action(act(republish))

interface RepublishOptions {
  readonly user?: string
  readonly since?: string
  readonly reason: string
  readonly dryRun?: boolean
  readonly wait: boolean
}

const POLL_MS = 250

async function republish(context: CommandContext, options: RepublishOptions): Promise<Outcome> {
  const { user, since, reason, dryRun = false, wait } = options
  if ((user === undefined) === (since === undefined)) throw new UsageInvalidError('Give either --user or --since.')
  const { terminal, signal } = context
  const client = clientOf(context, 'relay')
  const asked = await client.post('/admin/republish', plan, {
    ...(user === undefined ? { since } : { userId: user }),
    reason,
    dryRun,
  })
  const whose = user === undefined ? `written since ${since}` : `of user ${user}`
  if (asked.messages === 0) {
    await terminal.result({ ...asked, dryRun, sent: 0 }, () => `The outbox keeps no events ${whose}; nothing was done.`)
    return 'wrong'
  }
  const events = `${counted(asked.messages, 'event')} ${whose}, from ${asked.firstAt} to ${asked.lastAt}`
  if (asked.id === null) {
    await terminal.result({ ...asked, dryRun, sent: 0 }, () => `${events}, would be sent again. Nothing was done.`)
    return 'done'
  }
  if (!wait) {
    await terminal.result(
      { ...asked, dryRun, sent: 0 },
      () => `${events}: the relay sends them again (republish ${asked.id}).`,
    )
    return 'done'
  }
  const progress = startProgress({ terminal, total: asked.messages, noun: 'events' })
  try {
    for (;;) {
      const { sent, finishedAt } = await client.get(`/admin/republish/${asked.id}`, job)
      progress.update(sent, sent)
      if (finishedAt !== null) {
        progress.stop()
        await terminal.result(
          { ...asked, dryRun, sent, finishedAt },
          () => `${grouped(sent)} events ${whose} sent again.`,
        )
        return 'done'
      }
      await delay(POLL_MS, undefined, { signal })
    }
  } finally {
    progress.stop()
  }
}

function time(text: string): string {
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined
  if (date !== undefined && !Number.isNaN(date.getTime())) return date.toISOString()
  throw new InvalidArgumentError('Expected a time such as 2026-01-31T08:00:00Z.')
}
