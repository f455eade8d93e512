import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../../src/stack/repository.js'

const README = join(repositoryRoot, 'README.md')
const BEGIN = '<!-- bad input: written by the test, UPDATE_README=1 rewrites it -->'
const END = '<!-- end of bad input -->'

/** Collects what each kind of bad input was answered, and holds the README to it. */
export function badInputTable() {
  const rows: string[] = []
  return {
    add(kind: string, answer: string) {
      rows.push(`| ${kind} | ${answer} |`)
    },
    /** The table as it stands in the README. */
    stated(): string {
      const text = readFileSync(README, 'utf8')
      return text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)).trim()
    },
    /** The table as the services answered. With UPDATE_README=1 it is written to the README first. */
    tried(): string {
      const table = ['| Bad input | What happens |', '|---|---|', ...rows].join('\n')
      if (process.env.UPDATE_README === '1') {
        const text = readFileSync(README, 'utf8')
        const [before, after] = [text.slice(0, text.indexOf(BEGIN) + BEGIN.length), text.slice(text.indexOf(END))]
        writeFileSync(README, `${before}\n${table}\n${after}`)
      }
      return table
    },
  }
}
