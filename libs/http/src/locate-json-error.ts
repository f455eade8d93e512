/**
 * Says where a text stops being JSON (RFC 8259), without quoting it. V8 names the position for some mistakes only, and
 * quotes the text for the others.
 */
export function locateJsonError(text: string): string {
  const position = new Scan(text).firstError()
  if (position >= text.length) return 'it ends too early'
  const before = text.slice(0, position).split('\n')
  return `unexpected character at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y
const WORD = /true|false|null/y
const SPACE = /[ \t\n\r]*/y

/** Reads a JSON text with a stack of its own, up to the first character that does not fit. */
class Scan {
  private at = 0
  private failed = false

  constructor(private readonly text: string) {}

  firstError(): number {
    // What closes each open bracket.
    const open: string[] = []
    for (;;) {
      if (!this.value(open)) return this.at
      // After a value: close what ends here, then a comma, or the end of the text.
      for (;;) {
        this.take(SPACE)
        const closing = open.at(-1)
        if (closing === undefined) return this.at
        if (!this.takeChar(closing)) break
        open.pop()
      }
      if (!this.takeChar(',') || (open.at(-1) === '}' && !this.key())) return this.at
    }
  }

  // One scalar, or the brackets that lead to one; an empty bracket counts as a value.
  private value(open: string[]): boolean {
    for (;;) {
      this.take(SPACE)
      if (this.takeChar('[')) {
        this.take(SPACE)
        if (this.text[this.at] === ']') return open.push(']') > 0
        open.push(']')
      } else if (this.takeChar('{')) {
        this.take(SPACE)
        if (this.text[this.at] === '}') return open.push('}') > 0
        open.push('}')
        if (!this.key()) return false
      } else return this.string() || (!this.failed && (this.take(WORD) || this.take(NUMBER)))
    }
  }

  private key(): boolean {
    this.take(SPACE)
    if (!this.string()) return false
    this.take(SPACE)
    return this.takeChar(':')
  }

  private string(): boolean {
    if (this.text[this.at] !== '"') return false
    this.take(STRING)
    this.failed = !this.takeChar('"')
    return !this.failed
  }

  private take(token: RegExp): boolean {
    token.lastIndex = this.at
    const matched = token.exec(this.text)?.[0].length ?? 0
    this.at += matched
    return matched > 0
  }

  private takeChar(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }
}
