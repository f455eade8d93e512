import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { userQuestions } from '../../src/propagation/user-questions.js'

interface Question {
  readonly path: string
  readonly userIds: readonly string[]
  answer(status: number, body: unknown): void
}

let server: Server
let url: string
let questions: Question[]
let asked: () => void

beforeEach(async () => {
  questions = []
  asked = () => {}
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    questions.push({
      path: String(request.url),
      userIds: JSON.parse(Buffer.concat(chunks).toString()).userIds,
      answer: (status, body) => response.writeHead(status).end(JSON.stringify(body)),
    })
    asked()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
})

const question = async (index: number): Promise<Question> => {
  while (questions[index] === undefined) await new Promise<void>((resolve) => (asked = resolve))
  return questions[index] as Question
}

/** Everybody is at the version in its name. */
const truth = ({ userIds }: Question) => ({
  users: userIds.map((userId) => ({ userId, version: Number(userId.slice(1)), parkedSince: null })),
})

test('what is asked in one moment is one question', async () => {
  const ask = userQuestions()
  const answers = Promise.all([ask(url, 'people', 'u1'), ask(url, 'people', 'u2'), ask(url, 'people', 'u1')])
  const only = await question(0)
  expect([only.path, only.userIds]).toEqual(['/admin/projections/people/users/progress', ['u1', 'u2']])
  only.answer(200, truth(only))
  expect(await answers).toMatchObject([{ version: 1 }, { version: 2 }, { version: 1 }])
})

test('what is asked while a question is under way waits for it, and goes together', async () => {
  const ask = userQuestions()
  const first = ask(url, 'people', 'u1')
  const under = await question(0)
  const later = Promise.all([ask(url, 'people', 'u1'), ask(url, 'people', 'u2')])
  expect(questions).toHaveLength(1)
  under.answer(200, truth(under))
  await first
  const next = await question(1)
  expect(next.userIds).toEqual(['u1', 'u2'])
  next.answer(200, truth(next))
  expect(await later).toMatchObject([{ version: 1 }, { version: 2 }])
})

test('whoever asks again as soon as it has its answer is answered again', async () => {
  const ask = userQuestions()
  const twice = ask(url, 'people', 'u1').then(() => ask(url, 'people', 'u2'))
  for (const index of [0, 1]) {
    const one = await question(index)
    one.answer(200, truth(one))
  }
  expect(await twice).toMatchObject({ version: 2 })
})

test('two projections of one process are asked side by side', async () => {
  const ask = userQuestions()
  const answers = Promise.all([ask(url, 'people', 'u1'), ask(url, 'teams', 'u1')])
  const both = [await question(0), await question(1)]
  expect(both.map(({ path }) => path).sort()).toEqual([
    '/admin/projections/people/users/progress',
    '/admin/projections/teams/users/progress',
  ])
  for (const one of both) one.answer(200, truth(one))
  await answers
})

test.each([
  [404, { users: [] }],
  [200, { nonsense: true }],
  [200, { users: [] }],
])('no answer is no standing: %i %j', async (status, body) => {
  const ask = userQuestions()
  const answer = ask(url, 'people', 'u1')
  ;(await question(0)).answer(status, body)
  expect(await answer).toBeUndefined()
})

test('nobody there is no standing', async () => {
  expect(await userQuestions()('http://127.0.0.1:9', 'people', 'u1')).toBeUndefined()
})
