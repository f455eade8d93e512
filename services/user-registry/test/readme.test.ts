import { readdirSync, readFileSync } from 'node:fs'
import { LINE_PROBLEMS, PROBLEMS } from '../src/problems.js'

const here = new URL('../', import.meta.url)
const readme = readFileSync(new URL('README.md', here), 'utf8')

test('the tables of the README are the tables of the code', () => {
  const rows = [...readme.matchAll(/^\| `(ERR_\w+)` \| (?:(\d{3}) \| )?(.+) \|$/gm)].map(([, code, status, meaning]) =>
    status === undefined ? [code, meaning] : [code, Number(status), meaning],
  )
  expect(rows).toEqual([
    ...Object.entries(PROBLEMS).map(([code, { status, meaning }]) => [code, status, meaning]),
    ...Object.entries(LINE_PROBLEMS),
  ])
})

test('every code of the source is in a table', () => {
  const sources = readdirSync(new URL('src/', here), { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.startsWith('generated'),
  )
  const codes = sources.flatMap((path) => readFileSync(new URL(`src/${path}`, here), 'utf8').match(/'ERR_\w+'/g) ?? [])
  const known = { ...PROBLEMS, ...LINE_PROBLEMS }
  expect([...new Set(codes)].filter((code) => !(code.slice(1, -1) in known))).toEqual([])
})
