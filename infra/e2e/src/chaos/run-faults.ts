import { toErrorFacts } from '@rollcall/errors'
import { createRandom } from '../random.js'
import type { Fault, FaultRun } from './fault.js'
import type { FaultOutcome, RunOptions } from './fault-outcome.js'
import { isOnOwnDisk, runOnOwnDisk } from './run-on-own-disk.js'
import { openStage, type Stage, type StageVerdict } from './stage.js'

const TOLD_EVERY_MS = 300_000
const QUIET_WITHIN_MS = { short: 120_000, long: 180_000 } as const

/**
 * Goes through faults in one scene, and compares everything after each of them. Faults of one group happen at the same time
 * and are compared together: what is found counts for each. A scene with a violation in it, or left by a fault that spoils
 * it, is thrown away: the next fault gets a new one.
 */
export async function runFaults(faults: readonly Fault[], options: RunOptions): Promise<FaultOutcome[]> {
  const { say, seed, minutes } = options
  const outcomes: FaultOutcome[] = []
  const end = Date.now() + minutes * 60_000
  let stage: Stage | undefined
  const closeStage = async () => {
    await stage?.close()
    stage = undefined
  }
  const onSignal = () => void closeStage().finally(() => process.exit(1))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)

  async function runGroup(group: readonly Fault[]): Promise<FaultOutcome[]> {
    const scene = group[0]?.scene ?? 'shared'
    if (scene === 'own disk' && !isOnOwnDisk()) {
      await closeStage()
      return Promise.all(group.map((fault) => runOnOwnDisk(fault, options)))
    }
    if (scene !== 'shared') await closeStage()
    stage ??= await openStage({ seed: seed + outcomes.length * 1_000, say })
    const found = await runTogether(group, stage, outcomes.length, options)
    const isDirty = found.some(({ violations }) => violations > 0)
    if (isDirty) say(`logs and journal are kept in ${stage.keepLogs(group[0]?.name ?? '')}`)
    if (isDirty || scene !== 'shared') await closeStage()
    return found
  }

  try {
    for (const group of groupsOf(faults, options.length)) {
      const skipped = group.map((fault) => whySkipped(fault, end, minutes))
      const tried = group.filter((_, at) => skipped[at] === undefined)
      for (const { name, does } of tried) say(`${name}: ${does}`)
      const found =
        tried.length === 0
          ? []
          : await runGroup(tried).catch((error: unknown) =>
              tried.map((fault) => ({ ...blank(fault), violations: 1, problems: [toErrorFacts(error).message] })),
            )
      for (const [at, fault] of group.entries()) {
        const why = skipped[at]
        const outcome = found.find(({ name }) => name === fault.name)
        outcomes.push(why === undefined && outcome !== undefined ? outcome : { ...blank(fault), skipped: why ?? '' })
        options.done(outcomes.at(-1) as FaultOutcome)
      }
    }
  } finally {
    await closeStage()
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
  return outcomes
}

function whySkipped(fault: Fault, end: number, minutes: number): string | undefined {
  return fault.impossible?.() ?? (Date.now() > end ? `the ${minutes} minutes were over` : undefined)
}

/** Neighbours of one group, in the long form; everything by itself in the short one, whose few trials must each be seen. */
function groupsOf(faults: readonly Fault[], length: RunOptions['length']): Fault[][] {
  const groups: Fault[][] = []
  for (const fault of faults) {
    const last = groups.at(-1)
    if (length === 'long' && fault.group !== undefined && last?.[0]?.group === fault.group) last.push(fault)
    else groups.push([fault])
  }
  return groups
}

async function runTogether(
  group: readonly Fault[],
  stage: Stage,
  at: number,
  { length, seed, say, trials }: RunOptions,
): Promise<FaultOutcome[]> {
  const startedAt = performance.now()
  const names = group.map(({ name }) => name).join(', ')
  const minutesGone = () => Math.round((performance.now() - startedAt) / 60_000)
  // Three hundred kills take half an hour.
  const told = setInterval(() => say(`${names}: at it for ${minutesGone()} minutes`), TOLD_EVERY_MS)
  const runs = await Promise.all(
    group.map((fault, index) =>
      fault
        .run(stage, { trials: trials ?? fault.trials[length], random: createRandom(seed + at + index), say })
        .catch((error: unknown): FaultRun => {
          return { trials: 0, problems: [`the fault broke off: ${toErrorFacts(error).message}`] }
        }),
    ),
  )
  clearInterval(told)
  const compared = runs.some(({ isSpoilt }) => isSpoilt) ? { found: [], violations: 0 } : await compare(stage, length)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  return group.map((fault, index): FaultOutcome => {
    const { trials: done, problems, varieties = {} } = runs[index] as FaultRun
    return {
      ...blank(fault),
      trials: done,
      violations: problems.length + compared.violations,
      problems: [...problems.map((problem) => `I12 ${problem}`), ...compared.found],
      varieties,
      seconds,
      counts: 'counts' in compared ? compared.counts : undefined,
    }
  })
}

async function compare(stage: Stage, length: RunOptions['length']) {
  try {
    const verdict = await stage.verdict(QUIET_WITHIN_MS[length])
    const { violations, unquiet, counts } = verdict
    return { found: problemsOf(verdict), violations: violations.total + (unquiet === null ? 0 : 1), counts }
  } catch (error) {
    return { found: [`the checker broke off: ${toErrorFacts(error).message}`], violations: 1 }
  }
}

/** What the checker found, a line for each rule, with an example. */
export function problemsOf({ violations, unquiet }: StageVerdict): string[] {
  const rules = [...violations.byRule.values()].map(({ invariant, rule, count }) => {
    const sample = violations.samples.find((one) => one.invariant === invariant && one.rule === rule)
    return `${invariant} ${rule} x${count}, such as ${sample?.userId ?? ''} ${JSON.stringify(sample?.evidence ?? {})}`
  })
  return unquiet === null ? rules : [`I12 ${unquiet}`, ...rules]
}

const blank = ({ name, matrix, does, expects }: Fault): FaultOutcome => ({
  ...{ name, matrix, does, expects },
  trials: 0,
  violations: 0,
  problems: [],
  varieties: {},
  seconds: 0,
  counts: undefined,
})
