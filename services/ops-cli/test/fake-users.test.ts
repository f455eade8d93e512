import { fakeUserLines } from '../src/fake-user-lines.js'
import { fakeUsers } from '../src/fake-users.js'

test('the same seed gives the same users, whatever the count', () => {
  expect([...fakeUsers(50, 'a')]).toEqual([...fakeUsers(500, 'a')].slice(0, 50))
  expect([...fakeUsers(50, 'a')]).not.toEqual([...fakeUsers(50, 'b')])
})

test('users of two seeds can live in one tenant', () => {
  const names = new Set(
    ['1', '2', 'demo', 'demo2'].flatMap((seed) => [...fakeUsers(3_000, seed)].map((u) => u.userName)),
  )
  expect(names.size).toBe(12_000)
})

test('names and addresses occur once, and only at domains reserved for examples', () => {
  const names = new Set<string>()
  const addresses = new Set<string>()
  let emails = 0
  for (const user of fakeUsers(5_000)) {
    expect(user.userName).toMatch(/^[a-z0-9][a-z0-9-]*\.[a-z0-9-]+\.[a-z0-9]+$/)
    names.add(user.userName)
    for (const { value } of user.emails) {
      expect(value).toMatch(/@example\.(com|org|net)$/)
      addresses.add(value)
      emails++
    }
  }
  expect(names.size).toBe(5_000)
  expect(addresses.size).toBe(emails)
})

test('the people come from many places and write their names in many ways', () => {
  const users = [...fakeUsers(1_000)]
  const given = users.map(({ name }) => name.given).join('')
  for (const script of ['Latin', 'Han', 'Hangul', 'Arabic', 'Cyrillic', 'Devanagari', 'Hebrew', 'Greek', 'Hiragana']) {
    expect(given).toMatch(new RegExp(`\\p{Script=${script}}`, 'u'))
  }
  expect(new Set(users.map(({ locale }) => locale)).size).toBeGreaterThan(15)
  for (const { locale, timezone, phone } of users) {
    expect(Intl.getCanonicalLocales(locale)).toEqual([locale])
    expect(() => new Intl.DateTimeFormat('en', { timeZone: timezone })).not.toThrow()
    if (phone !== undefined) expect(phone).toMatch(/^\+[1-9]\d{6,14}$/)
  }
})

test('100,000 users are written in seconds', () => {
  const startedAt = performance.now()
  let length = 0
  for (const piece of fakeUserLines(fakeUsers(100_000), 'csv')) length += piece.length
  expect(length).toBeGreaterThan(10_000_000)
  expect(performance.now() - startedAt).toBeLessThan(30_000)
})
