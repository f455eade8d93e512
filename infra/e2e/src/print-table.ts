/** Prints rows as aligned columns under a heading; numbers to the right. */
export function printTable(headings: readonly string[], rows: ReadonlyArray<ReadonlyArray<string | number>>): void {
  console.log(tableText(headings, rows))
}

export function tableText(headings: readonly string[], rows: ReadonlyArray<ReadonlyArray<string | number>>): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : cell)))
  const widths = headings.map((heading, at) => Math.max(heading.length, ...texts.map((row) => (row[at] ?? '').length)))
  const line = (cells: readonly string[], numeric: (at: number) => boolean) =>
    widths
      .map((width, at) => (numeric(at) ? (cells[at] ?? '').padStart(width) : (cells[at] ?? '').padEnd(width)))
      .join('  ')
      .trimEnd()
  return [
    line(headings, (at) => typeof rows[0]?.[at] === 'number'),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...texts.map((row, index) => line(row, (at) => typeof rows[index]?.[at] === 'number')),
  ].join('\n')
}

const grouped = (value: number) =>
  Number.isInteger(value) ? value.toLocaleString('en-US') : value.toLocaleString('en-US', { maximumFractionDigits: 2 })
