import type { Command } from 'commander'
import type { Act } from '../command-context.js'
import {
  deadLettersDiscardCommand,
  deadLettersListCommand,
  deadLettersRetryCommand,
  deadLettersShowCommand,
  deadLettersWhatIfCommand,
} from './dead-letters.js'
import { outboxRepublishCommand } from './outbox-republish.js'
import { projectionsListCommand } from './projections-list.js'
import { projectionsPauseCommand } from './projections-pause.js'
import { projectionsRebuildCommand } from './projections-rebuild.js'
import { projectionsReplayCommand } from './projections-replay.js'
import { projectionsResumeCommand } from './projections-resume.js'
import {
  projectionsAbandonCommand,
  projectionsCutOverCommand,
  projectionsRollbackCommand,
} from './projections-sides.js'
import { projectionsVerifyCommand } from './projections-verify.js'
import { schemasCheckCommand } from './schemas-check.js'
import { schemasRegisterCommand } from './schemas-register.js'
import { statusCommand } from './status.js'
import { topicsApplyCommand } from './topics-apply.js'
import { topicsCheckCommand } from './topics-check.js'
import { topicsTailCommand } from './topics-tail.js'
import { usersCompareCommand } from './users-compare.js'
import { usersGenerateCommand } from './users-generate.js'
import { usersImportCommand } from './users-import.js'
import { usersPropagationCommand } from './users-propagation.js'

/** Every command in the order help shows them. A noun's description stands with its first command. */
export const COMMANDS: readonly CommandEntry[] = [
  { command: statusCommand },
  { noun: 'users', about: 'import, invent and compare users; follow a change', command: usersImportCommand },
  { noun: 'users', command: usersGenerateCommand },
  { noun: 'users', command: usersCompareCommand },
  { noun: 'users', command: usersPropagationCommand },
  { noun: 'projections', about: 'read models: state, pause, rebuild, verify, replay', command: projectionsListCommand },
  { noun: 'projections', command: projectionsRebuildCommand },
  { noun: 'projections', command: projectionsCutOverCommand },
  { noun: 'projections', command: projectionsRollbackCommand },
  { noun: 'projections', command: projectionsAbandonCommand },
  { noun: 'projections', command: projectionsVerifyCommand },
  { noun: 'projections', command: projectionsReplayCommand },
  { noun: 'projections', command: projectionsPauseCommand },
  { noun: 'projections', command: projectionsResumeCommand },
  {
    noun: 'dead-letters',
    about: 'parked users: why, what a retry would do, retry, discard',
    command: deadLettersListCommand,
  },
  { noun: 'dead-letters', command: deadLettersShowCommand },
  { noun: 'dead-letters', command: deadLettersWhatIfCommand },
  { noun: 'dead-letters', command: deadLettersRetryCommand },
  { noun: 'dead-letters', command: deadLettersDiscardCommand },
  { noun: 'outbox', about: 'events on their way to the topic', command: outboxRepublishCommand },
  { noun: 'topics', about: 'create, check and read topics', command: topicsApplyCommand },
  { noun: 'topics', command: topicsCheckCommand },
  { noun: 'topics', command: topicsTailCommand },
  { noun: 'schemas', about: 'the contracts of the events', command: schemasCheckCommand },
  { noun: 'schemas', command: schemasRegisterCommand },
]

interface CommandEntry {
  readonly noun?: string
  readonly about?: string
  readonly command: (act: Act) => Command
}
