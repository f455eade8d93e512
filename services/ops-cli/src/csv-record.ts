/** The fields of one CSV record, or why the text is not one. `open` means: it ends inside quotes, more lines may follow. */
export type CsvRecord = { readonly fields: readonly string[] } | { readonly open: true } | { readonly wrong: string }

/** Parses the text of one record as RFC 4180 section 2 has it: quotes surround a whole field, a quote inside is doubled. */
export function parseCsvRecord(text: string, delimiter: string): CsvRecord {
  if (!text.includes('"')) return { fields: text.split(delimiter) }

  const fields: string[] = []
  let at = 0
  for (;;) {
    if (text[at] === '"') {
      const quoted = readQuoted(text, at)
      if (quoted === undefined) return { open: true }
      fields.push(quoted.value)
      at = quoted.end
      if (at < text.length && !text.startsWith(delimiter, at)) {
        return { wrong: `text after the closing quote of column ${fields.length}` }
      }
    } else {
      const next = text.indexOf(delimiter, at)
      const value = next === -1 ? text.slice(at) : text.slice(at, next)
      if (value.includes('"')) return { wrong: `a quote inside the unquoted column ${fields.length + 1}` }
      fields.push(value)
      at += value.length
    }
    if (at >= text.length) return { fields }
    at += delimiter.length
    if (at === text.length) return { fields: [...fields, ''] }
  }
}

/** Writes a value so that `parseCsvRecord` reads it back. */
export const csvField = (value: string, delimiter = ','): string =>
  /["\r\n]/.test(value) || value.includes(delimiter) ? `"${value.replaceAll('"', '""')}"` : value

function readQuoted(text: string, open: number): { value: string; end: number } | undefined {
  let value = ''
  for (let from = open + 1; ; ) {
    const quote = text.indexOf('"', from)
    if (quote === -1) return undefined
    value += text.slice(from, quote)
    if (text[quote + 1] !== '"') return { value, end: quote + 1 }
    value += '"'
    from = quote + 2
  }
}
