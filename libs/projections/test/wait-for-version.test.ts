import { systemClock } from '../src/clock.js'
import { versionWaits } from '../src/wait-for-version.js'

const sleeps = (ms: number) => systemClock.wait(ms)

/** A database another process writes to: what was asked, and what it answers. */
function database() {
  const versions = new Map<string, number>()
  const questions: (readonly string[])[] = []
  return {
    versions,
    questions,
    async ask(userIds: readonly string[]) {
      questions.push(userIds)
      await sleeps(1)
      return new Map(userIds.map((userId) => [userId, versions.get(userId) ?? 0]))
    },
  }
}

const waitsOf = ({ ask }: ReturnType<typeof database>) =>
  versionWaits({ projection: 'people', ask, clock: systemClock })

test('what is there already is answered with one question', async () => {
  const there = database()
  there.versions.set('a', 3)
  await waitsOf(there).waitFor('a', 2, 1_000)
  expect(there.questions).toEqual([['a']])
})

test('a commit of this process ends the wait without another question', async () => {
  const there = database()
  const waits = waitsOf(there)
  const waiting = waits.waitFor('a', 2, 10_000)
  await sleeps(5)
  waits.applied(new Map([['a', 1]]))
  waits.applied(new Map([['a', 2]]))
  await waiting
  expect(there.questions).toEqual([['a']])
})

test('commits of another process are found with one question for all who wait', async () => {
  const there = database()
  const waits = waitsOf(there)
  const userIds = Array.from({ length: 50 }, (_, at) => `user-${at}`)
  const waiting = Promise.all(
    userIds.flatMap((userId) => [waits.waitFor(userId, 1, 10_000), waits.waitFor(userId, 1, 10_000)]),
  )
  await sleeps(70)
  for (const userId of userIds) there.versions.set(userId, 1)
  await waiting
  const together = there.questions.slice(100)
  expect(together.length).toBeLessThanOrEqual(5)
  expect(together.at(-1)).toEqual(userIds)
})

test('a wait that runs out says how far behind it is; those that may go on, do', async () => {
  const there = database()
  there.versions.set('a', 3)
  const waits = waitsOf(there)
  const later = waits.waitFor('a', 4, 10_000)
  await expect(waits.waitFor('a', 5, 20)).rejects.toMatchObject({
    code: 'ERR_PROJECTION_BEHIND',
    facts: { known: 3, wanted: 5, behind: 2 },
  })
  there.versions.set('a', 4)
  await later
})

test('a question that fails fails those it was asked for, and nobody else', async () => {
  const there = database()
  let isDown = true
  const waits = versionWaits({
    projection: 'people',
    ask: (userIds) => (isDown ? Promise.reject(new Error('the database is away')) : there.ask(userIds)),
    clock: systemClock,
  })
  await expect(waits.waitFor('a', 1, 1_000)).rejects.toThrow('the database is away')
  isDown = false
  there.versions.set('a', 1)
  await waits.waitFor('a', 1, 1_000)
})

test('closing ends every wait', async () => {
  const waits = waitsOf(database())
  const waiting = waits.waitFor('a', 1, 60_000)
  waits.close()
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_PROJECTION_BEHIND' })
  await expect(waits.waitFor('b', 1, 60_000)).rejects.toMatchObject({ code: 'ERR_PROJECTION_BEHIND' })
})
