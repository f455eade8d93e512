import type { Result } from './bench.js'

/** The table for people and, last, one JSON line per result for machines. */
export function report(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.bench,
    figure(result.value),
    result.unit,
    result.ceiling === undefined ? '' : figure(result.ceiling),
    result.ratio === undefined ? '' : result.ratio.toFixed(2),
    result.ask ? `${result.ask.holds ? 'yes' : 'NO '} ${result.ask.text}` : '',
    result.against ?? result.note ?? '',
  ])
  const head = ['bench', 'value', 'unit', 'ceiling', 'ratio', 'asked', 'against']
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd()
  const table = [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)]
  return [...table, '', ...lines(results)].join('\n')
}

/** One JSON line per result. */
export const lines = (results: readonly Result[]): readonly string[] =>
  results.map(({ bench, value, ceiling, ratio, unit }) =>
    JSON.stringify({ bench, value: round(value), ceiling: round(ceiling), ratio: round(ratio), unit }),
  )

function figure(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
}

function round(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toPrecision(4))
}
