/**
 * The form under which two spellings of a name are the same name: compatibility characters unified (NFKC), case
 * folded, invisible characters dropped. Uniqueness and look-ups compare this form; the spelling itself is kept.
 */
export function foldCase(text: string): string {
  // Nearly every login name and address; the general way costs ten times as much.
  if (PRINTABLE_ASCII.test(text)) return text.toLowerCase()
  const folded = text
    .replace(INVISIBLE, '')
    .normalize('NFKC')
    // JavaScript has no case folding. Up and down again is the same for every letter but the dotless i, which is a
    // letter of its own and would become i; a final sigma is a sigma.
    .replace(NOT_DOTLESS_I, (part) => part.toUpperCase().toLowerCase())
    .replaceAll('ς', 'σ')
  return folded.normalize('NFKC')
}

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu
const NOT_DOTLESS_I = /[^ı]+/gu
