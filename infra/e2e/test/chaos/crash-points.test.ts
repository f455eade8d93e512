import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crashPoints } from '../../src/chaos/crash-points.js'
import { repositoryRoot } from '../../src/stack/repository.js'

test('the list of crash points and the steps in the code are the same', () => {
  const told = ['libs', 'services'].flatMap((row) =>
    readdirSync(join(repositoryRoot, row)).flatMap((name) => stepsIn(join(repositoryRoot, row, name, 'src'))),
  )
  expect(new Set(told)).toEqual(new Set(crashPoints.map(({ step }) => step)))
})

test('a step stands in one place only: what died there died at one point', () => {
  expect(new Set(crashPoints.map(({ step }) => step)).size).toBe(crashPoints.length)
})

function stepsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...readFileSync(join(folder, file), 'utf8').matchAll(/\b(?:step|passed)\('([a-z-]+\.[a-z-]+)'\)/g),
    ])
    .map(([, name]) => name as string)
}
