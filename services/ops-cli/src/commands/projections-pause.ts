import type { Command } from 'commander'
import type { Act } from '../command-context.js'
import { projectionAct } from '../projection-act.js'

/** `rollcall projections pause <name>` */
export const projectionsPauseCommand = (act: Act): Command =>
  projectionAct(act, {
    verb: 'pause',
    done: 'paused',
    summary: 'stop applying events, in every process, until resumed',
  })
