import { parseArgs } from 'node:util'
import type { Bench, Result } from './bench.js'
import { startBenchStack } from './bench-stack.js'
import { benches } from './benches.js'
import { lines, report } from './report.js'

const HELP = `npm run bench -- [names…] [--rounds n] [--scale x] [--list]

  names      run only these benches; all by default
  --rounds   rounds per variant, medians are taken over them (5)
  --scale    multiply row counts, for a quick look; figures of record use 1
  --list     what there is
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  process.stdout.write(HELP)
} else if (values.list) {
  process.stdout.write(benches.map(({ name, about }) => `${name.padEnd(10)} ${about}\n`).join(''))
} else {
  await run(chosen(positionals), Number(values.rounds), Number(values.scale))
}

function chosen(names: readonly string[]): readonly Bench[] {
  const unknown = names.filter((name) => !benches.some((bench) => bench.name === name))
  if (unknown.length > 0) {
    process.stderr.write(
      `No bench is called ${unknown.join(', ')}; there are ${benches.map((b) => b.name).join(', ')}.\n`,
    )
    process.exit(2)
  }
  return names.length === 0 ? benches : benches.filter((bench) => names.includes(bench.name))
}

async function run(list: readonly Bench[], rounds: number, scale: number): Promise<void> {
  const log = (line: string) => process.stderr.write(`${line}\n`)
  const results: Result[] = []
  let failed = false
  for (const bench of list) {
    // A fresh stack each: no bench inherits another's tables, segments or page cache habits.
    const stack = await startBenchStack()
    const startedAt = performance.now()
    log(`${bench.name}: ${bench.about}`)
    try {
      const found = await bench.run({ stack, rounds, scale, log: (line) => log(`  ${line}`) })
      results.push(...found)
      // Said at once: what ends the run later does not take it away.
      for (const line of lines(found)) log(`  ${line}`)
    } catch (error) {
      failed = true
      log(`  ${bench.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    } finally {
      await stack.close()
    }
    log(`  took ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
  }
  process.stdout.write(`${report(results)}\n`)
  process.exitCode = failed || results.some((result) => result.ask?.holds === false) ? 1 : 0
}
