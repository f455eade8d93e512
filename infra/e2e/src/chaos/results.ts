import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '../stack/repository.js'
import { percent, upperBound } from './bound.js'
import type { FaultOutcome } from './fault-outcome.js'
import type { MutantOutcome } from './run-mutants.js'

/** What a results file says about where its figures come from. */
export interface Provenance {
  readonly command: string
  readonly commit: string
  readonly machine: string
  readonly startedAt: string
  readonly minutes: number
}

export function provenance(command: string, startedAt: Date): Provenance {
  const [cpu] = cpus()
  return {
    command,
    commit: commitOf(),
    machine: `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`,
    startedAt: startedAt.toISOString(),
    minutes: Math.round((Date.now() - startedAt.getTime()) / 60_000),
  }
}

function commitOf(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: repositoryRoot, encoding: 'utf8' }).trim()
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'libs', 'services', 'infra')
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : ' with changes'}`
  } catch {
    return 'unknown'
  }
}

/** A bound holds for trials without a violation only. */
export const boundOf = ({ trials, violations }: Pick<FaultOutcome, 'trials' | 'violations'>): string =>
  violations > 0 || trials === 0 ? '-' : percent(upperBound(trials))

/** Writes `<folder>/<date>-<name>.md` and `.json`; answers the path of the first. */
export function writeResults(folder: string, name: string, text: string, data: unknown): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${new Date().toISOString().slice(0, 10)}-${name}`)
  writeFileSync(`${path}.md`, text)
  writeFileSync(`${path}.json`, `${JSON.stringify(data, null, 2)}\n`)
  return `${path}.md`
}

export function faultsText(where: Provenance, outcomes: readonly FaultOutcome[]): string {
  const rows = outcomes.map((one) =>
    one.skipped === undefined
      ? `| ${one.matrix} | ${one.name} | ${one.does} | ${number(one.trials)} | ${number(one.violations)} | ${boundOf(one)} | ${one.seconds} |`
      : `| ${one.matrix} | ${one.name} | not tried: ${one.skipped} | | | | |`,
  )
  const details = outcomes
    .filter(({ skipped }) => skipped === undefined)
    .map(({ name, expects, varieties, problems, counts }) => {
      const compared = counts && counts.records > 0 ? ` Compared: ${looked(counts)}.` : ''
      return [
        `- **${name}**: ${expects}. ${listOf(varieties)}${compared}`,
        ...problems.slice(0, 20).map((problem) => `  - VIOLATION ${problem}`),
      ].join('\n')
    })
  return `# Chaos

${headOf(where)}

After each fault the traffic stops, everything gets quiet, and the checker compares registry, outbox, topic, read models,
effect counters, audit trail and the journal of requests (I1 to I5, I11, G8). What did not come back in time is a violation of
I12. The bound is 3/n: with 95 % confidence the chance of a violation in such a trial is below it.

| | fault | what is done | trials | violations | 95 % bound | s |
|---|---|---|--:|--:|--:|--:|
${rows.join('\n')}

${details.join('\n')}
`
}

export function mutantsText(
  where: Provenance,
  outcomes: readonly MutantOutcome[],
  controls: readonly MutantOutcome[],
): string {
  const caught = outcomes.filter(({ isCaught }) => isCaught).length
  const rows = outcomes.map(
    (one) =>
      `| ${one.mutant} | ${one.bug} | ${one.fault} | ${one.trials} | ${one.isCaught ? 'yes' : '**no**'} | ${Object.keys(one.spoke).join(' ')} |`,
  )
  return `# Mutants

${headOf(where)}

Each bug is seeded into one file of ours while the services load it; ${caught} of ${outcomes.length} are caught.

| mutant | the bug | fault that shows it | trials | caught | by |
|---|---|---|--:|---|---|
${rows.join('\n')}

The same faults without a bug: ${controls.map(({ fault, trials, spoke }) => `${fault} (${trials} trials) ${Object.keys(spoke).length === 0 ? 'passes' : `**alarms: ${Object.keys(spoke).join(' ')}**`}`).join(', ')}.
`
}

const headOf = ({ command, commit, machine, startedAt, minutes }: Provenance) =>
  `\`${command}\`, begun ${startedAt}, ${minutes} minutes, commit ${commit}, ${machine}.`

const listOf = (varieties: Readonly<Record<string, number>>) => {
  const list = Object.entries(varieties).map(([what, times]) => `${what} ${times}`)
  return list.length === 0 ? '' : `${list.join(', ')}.`
}

const looked = ({ changes, records, duplicates, oldAfterNew, journalled }: NonNullable<FaultOutcome['counts']>) =>
  `${number(changes)} changes, ${number(records)} records, ${number(duplicates)} duplicates (${number(oldAfterNew)} old after new), ${number(journalled)} requests`

const number = (value: number) => value.toLocaleString('en-US')
