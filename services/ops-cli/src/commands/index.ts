import type { Command } from 'commander'
import type { Act } from '../command-context.js'
import { usersGenerateCommand } from './users-generate.js'
import { usersImportCommand } from './users-import.js'

/** Every command in the order help shows them. A noun's description stands with its first command. */
export const COMMANDS: readonly CommandEntry[] = [
  { noun: 'users', about: 'import, invent and compare users', command: usersImportCommand },
  { noun: 'users', command: usersGenerateCommand },
]

interface CommandEntry {
  readonly noun?: string
  readonly about?: string
  readonly command: (act: Act) => Command
}
