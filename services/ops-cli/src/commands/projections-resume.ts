import type { Command } from 'commander'
import type { Act } from '../command-context.js'
import { projectionAct } from '../projection-act.js'

/** `rollcall projections resume <name>` */
export const projectionsResumeCommand = (act: Act): Command =>
  projectionAct(act, {
    verb: 'resume',
    done: 'resumed',
    summary: 'go on after a pause, and try stopped partitions again',
  })
