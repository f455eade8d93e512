import { SingleBar } from 'cli-progress'
import { grouped, spoken, type Terminal } from './terminal.js'

export interface Progress {
  /** How much is done, in the unit of `total`; `items` is what the rate counts. */
  update(done: number, items: number): void
  stop(): void
}

export interface ProgressOptions {
  readonly terminal: Terminal
  /** What `done` ends at; undefined when nobody knows, as with a pipe. */
  readonly total: number | undefined
  /** What is counted, plural: "lines". */
  readonly noun: string
  /** Items that were done before this run: they count as done, not in the rate. */
  readonly itemsBefore?: number
  readonly doneBefore?: number
  /** How often a line is written where no person watches. @default 5000 */
  readonly plainEveryMs?: number
  readonly now?: () => number
}

/**
 * Draws a bar with rate and time left on stderr when a person watches, and writes a plain line now and then otherwise.
 * The rate is over the whole run: a shorter window jumps with every answered request.
 */
export function startProgress(options: ProgressOptions): Progress {
  const { terminal, total, noun, itemsBefore = 0, doneBefore = 0, now = Date.now } = options
  const startedAt = now()
  const spoke = (done: number, items: number) => {
    const seconds = (now() - startedAt) / 1000
    const rate = seconds > 0 ? (items - itemsBefore) / seconds : 0
    const speed = seconds > 0 ? (done - doneBefore) / seconds : 0
    const left = total !== undefined && speed > 0 ? `, ${spoken((total - done) / speed)} left` : ''
    return `${grouped(items)} ${noun}, ${grouped(rate)}/s${left}`
  }

  if (terminal.interactive && total !== undefined) {
    const bar = new SingleBar({
      stream: terminal.stderr as NodeJS.WriteStream,
      format: '{bar} {percentage}%  {said}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 28,
      hideCursor: true,
      clearOnComplete: false,
      fps: 10,
    })
    bar.start(total, doneBefore, { said: '' })
    return {
      update: (done, items) => bar.update(Math.min(done, total), { said: spoke(done, items) }),
      stop: () => bar.stop(),
    }
  }

  const { plainEveryMs = 5000 } = options
  let saidAt = startedAt
  return {
    update(done, items) {
      if (now() - saidAt < plainEveryMs) return
      saidAt = now()
      const percent = total ? `${Math.floor((100 * done) / total)} %: ` : ''
      terminal.note(`${percent}${spoke(done, items)}`)
    },
    stop() {},
  }
}
