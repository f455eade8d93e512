import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryRoot = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/[/\\]$/, '')

/** Where `npm start` says what listens where. */
export const defaultEndpointsPath = join(repositoryRoot, '.rollcall', 'endpoints.json')

export const entryPoints = {
  registry: join(repositoryRoot, 'services', 'user-registry', 'dist', 'main.js'),
  relay: join(repositoryRoot, 'services', 'user-registry', 'dist', 'relay-main.js'),
  directory: join(repositoryRoot, 'services', 'directory', 'dist', 'main.js'),
  rollcall: join(repositoryRoot, 'services', 'ops-cli', 'dist', 'main.js'),
  counter: join(repositoryRoot, 'infra', 'e2e', 'dist', 'counter', 'counter-main.js'),
} as const

export const topicsFile = join(repositoryRoot, 'infra', 'kafka', 'topics.json')

/** A path as the caller meant it: npm runs a workspace's script in the workspace and keeps where it was called in INIT_CWD. */
export const asGiven = (path: string) => resolve(process.env.INIT_CWD ?? process.cwd(), path)
