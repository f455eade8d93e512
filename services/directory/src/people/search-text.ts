/**
 * Text as it is searched: lower case and without marks, so that "bjorn" finds "Björn". Rows and questions both go through
 * here; the database's own lower() knows no letters beyond ASCII when it was created without a locale.
 */
export function searchText(...parts: readonly (string | null | undefined)[]): string {
  return parts
    .filter(Boolean)
    .join(' ')
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
}
