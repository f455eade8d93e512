import { readFileSync, writeFileSync } from 'node:fs'
import { faults } from '../../src/chaos/faults/all.js'

const path = new URL('../../README.md', import.meta.url)
const head = '| | fault | what is done | what must hold, beside the comparison |\n|---|---|---|---|\n'
const part = /(<!-- faults -->\n)[\s\S]*?(<!-- end of faults -->)/

test('the README tells of every fault what is done and what must hold; UPDATE_README=1 rewrites it', () => {
  const readme = readFileSync(path, 'utf8')
  const rows = faults
    .map(({ matrix, name, does, expects }) => `| ${matrix} | ${name} | ${does} | ${expects} |\n`)
    .join('')
  const updated = readme.replace(part, (_, begin, end) => `${begin}${head}${rows}${end}`)
  if (process.env.UPDATE_README === '1') writeFileSync(path, updated)
  else expect(readme).toBe(updated)
})
