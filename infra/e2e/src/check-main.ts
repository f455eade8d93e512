import { parseArgs } from 'node:util'
import { readEndpoints } from '@rollcall/dev'
import { toErrorFacts } from '@rollcall/errors'
import { createLogger } from '@rollcall/observability'
import { generateHistory } from './checker/generate-history.js'
import { printVerdict } from './checker/print-verdict.js'
import { proveChecker } from './checker/prove-checker.js'
import { checkStack } from './drill/scene.js'
import { StackMissingError } from './e2e-errors.js'
import { printTable } from './print-table.js'
import { asGiven, defaultEndpointsPath } from './stack/repository.js'

const USAGE = `usage: npm run check -w infra/e2e -- [--endpoints FILE] [--prove [--seed N]]

  Compares registry, topic, directory and audit trail of a running, quiet stack; exit code 1 when they disagree.
  --prove   shows instead that each known fault, seeded into a true history, is caught`

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: {
        endpoints: { type: 'string', default: defaultEndpointsPath },
        prove: { type: 'boolean', default: false },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      console.log(USAGE)
      return 0
    }
    return values.prove ? await prove(Number(values.seed)) : await check(asGiven(values.endpoints))
  } catch (error) {
    const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
    console.error(isUsage ? `${error.message}\n\n${USAGE}` : toErrorFacts(error).message)
    return 2
  }
}

async function check(endpointsPath: string): Promise<number> {
  const endpoints = (() => {
    try {
      return readEndpoints(endpointsPath)
    } catch (error) {
      throw new StackMissingError(endpointsPath, error)
    }
  })()
  const startedAt = performance.now()
  const verdict = await checkStack(endpoints, { logger: createLogger({ service: 'checker', level: 'error' }) })
  printVerdict(verdict)
  const { total } = verdict.violations
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`\n${total === 0 ? 'No violation' : `${total} violations`}, checked in ${seconds} s.`)
  return total === 0 ? 0 : 1
}

async function prove(seed: number): Promise<number> {
  const { falseAlarms, outcomes } = await proveChecker(generateHistory({ users: 1000, seed }))
  printTable(
    ['', 'seeded fault', 'caught', 'what fired'],
    outcomes.map(({ fault, caught, fired }) => [
      fault.invariant,
      fault.name,
      caught ? 'yes' : 'NO',
      fired.join(', ') || 'nothing',
    ]),
  )
  const missed = outcomes.filter(({ caught }) => !caught).length
  console.log(`\n${outcomes.length - missed} of ${outcomes.length} faults caught by the right invariant.`)
  console.log(
    falseAlarms.length === 0 ? 'The true history raises no alarm.' : `FALSE ALARMS: ${falseAlarms.join(', ')}`,
  )
  return missed === 0 && falseAlarms.length === 0 ? 0 : 1
}
