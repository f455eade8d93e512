/**
 * Text as it is searched: lower case and without marks, so that "bjorn" finds "Björn". Rows and questions both go through
 * here; the database's own lower() knows no letters beyond ASCII when it was created without a locale.
 *
 * A part that another one holds is left out: a user name is most often the beginning of the address, and every word costs
 * its trigrams in the index.
 */
export function searchText(...parts: readonly (string | null | undefined)[]): string {
  const folded = parts.flatMap((part) => (part ? fold(part) : []))
  return folded
    .filter((part, at) => !folded.some((other, from) => from !== at && holds(other, part, from < at)))
    .join(' ')
}

const fold = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()

// Of two equal parts the first stays.
const holds = (other: string, part: string, isEarlier: boolean) =>
  other.startsWith(part) && (other.length > part.length || isEarlier)
