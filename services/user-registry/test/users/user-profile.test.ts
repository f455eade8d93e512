import fc from 'fast-check'
import { emailKey, isEmailAddress } from '../../src/users/email-address.js'
import { fieldProblems } from '../../src/users/field-problem.js'
import { foldCase } from '../../src/users/fold-case.js'
import { mergePatch } from '../../src/users/merge-patch.js'
import { userProfile } from '../../src/users/user-profile.js'

const problems = (document: unknown) => {
  const parsed = userProfile.safeParse(document)
  return parsed.success ? [] : fieldProblems(parsed.error)
}
const pointers = (document: unknown) => problems(document).map(({ pointer }) => pointer)

test.each([
  ['Ada', 'ADA'],
  ['Straße', 'STRASSE'],
  ['ὈΔΥΣΣΕΎΣ', 'ὀδυσσεύς'],
  ['ﬁne', 'FINE'],
  ['Ａｄａ', 'ada'],
  ['Ame\u0301lie', 'Amélie'],
  ['ad\u00admin', 'admin'],
])('%s and %s are one name', (one, other) => {
  expect(foldCase(one)).toBe(foldCase(other))
})

test('names that differ in more than case stay two', () => {
  expect(foldCase('alı')).not.toBe(foldCase('ali'))
  expect(foldCase('resume')).not.toBe(foldCase('résumé'))
})

test('folding a folded name changes nothing', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => foldCase(foldCase(text)) === foldCase(text)))
})

test.each([
  'a@example.org',
  'first.last+tag@sub.example.co',
  "o'hara@example.org",
  'jörg@bücher.example',
  '用户@例子.测试',
])('%s is an address', (text) => expect(isEmailAddress(text)).toBe(true))

test.each([
  ...['', 'a', '@example.org', 'a@', 'a@b', 'a b@example.org', 'a@exa mple.org', '.a@example.org', 'a.@example.org'],
  ...['a..b@example.org', 'a@@example.org', 'a@-x.org', 'a@x-.org', 'a@x..org', '<a@example.org>', '"a"@example.org'],
  ...['a\n@example.org', `${'a'.repeat(65)}@example.org`, `a@${'b'.repeat(250)}.org`, 'a@example.org,b@example.org'],
])('%j is no address', (text) => expect(isEmailAddress(text)).toBe(false))

test('an address is the same however its case and its domain are written', () => {
  expect(emailKey('Ada@Example.ORG')).toBe('ada@example.org')
  expect(emailKey('a@Bücher.example')).toBe(emailKey('a@xn--bcher-kva.example'))
})

test('a profile is normalised once, where it comes in', () => {
  expect(
    userProfile.parse({
      userName: 'ada',
      emails: [{ value: 'a@example.org' }, { value: 'b@example.org', type: 'home' }],
      phone: '+44 (20) 7946-0000',
      locale: 'EN-gb',
      timezone: 'europe/london',
    }),
  ).toEqual({
    userName: 'ada',
    emails: [
      { value: 'a@example.org', type: null, primary: true },
      { value: 'b@example.org', type: 'home', primary: false },
    ],
    name: null,
    phone: '+442079460000',
    locale: 'en-GB',
    timezone: 'Europe/London',
    attributes: {},
  })
})

test('parsing what was parsed changes nothing', () => {
  const once = userProfile.parse({ userName: 'ada', emails: [{ value: 'a@example.org' }], timezone: 'Asia/Kolkata' })
  expect(userProfile.parse(once)).toEqual(once)
})

const deep = (levels: number): unknown => (levels === 0 ? 1 : { in: deep(levels - 1) })

test.each<[string, unknown, string[]]>([
  ['an unknown field', { userName: 'a', shoeSize: 4 }, ['/shoeSize']],
  [
    'an unknown field of an e-mail',
    { userName: 'a', emails: [{ value: 'a@example.org', kind: 'x' }] },
    ['/emails/0/kind'],
  ],
  ['no user name', {}, ['/userName']],
  ['white space around the name', { userName: ' a' }, ['/userName']],
  ['a control character', { userName: 'a\u0000b' }, ['/userName']],
  ['a line separator', { userName: 'a\u2028b' }, ['/userName']],
  ['half a character', { userName: 'a\ud800' }, ['/userName']],
  ['a name too long', { userName: 'a'.repeat(129) }, ['/userName']],
  ['a number for a text', { userName: 7 }, ['/userName']],
  [
    'two primary addresses',
    { userName: 'a', emails: ['a', 'b'].map((who) => ({ value: `${who}@example.org`, primary: true })) },
    ['/emails'],
  ],
  [
    'one address twice',
    { userName: 'a', emails: [{ value: 'a@example.org' }, { value: 'A@EXAMPLE.org' }] },
    ['/emails/1/value'],
  ],
  [
    'twenty-one addresses',
    { userName: 'a', emails: Array.from({ length: 21 }, (_, at) => ({ value: `a${at}@example.org` })) },
    ['/emails'],
  ],
  ['a phone that is none', { userName: 'a', phone: '0800' }, ['/phone']],
  ['a locale that is none', { userName: 'a', locale: 'not a locale' }, ['/locale']],
  ['an offset for a zone', { userName: 'a', timezone: '+01:00' }, ['/timezone']],
  ['a zone that is none', { userName: 'a', timezone: 'Mars/Olympus' }, ['/timezone']],
  ['attributes that are no object', { userName: 'a', attributes: [] }, ['/attributes']],
  ['attributes too large', { userName: 'a', attributes: { a: 'x'.repeat(16_384) } }, ['/attributes']],
  ['attributes too deep', { userName: 'a', attributes: { in: deep(8) } }, ['/attributes']],
  ['attributes Postgres cannot hold', { userName: 'a', attributes: { a: 'x\u0000' } }, ['/attributes']],
  ['attributes with half a character', { userName: 'a', attributes: { 'x\udc00': 1 } }, ['/attributes']],
  ['a number beyond a double', JSON.parse('{"userName":"a","attributes":{"a":[1e999]}}'), ['/attributes']],
  ['a prototype in disguise', JSON.parse('{"userName":"a","attributes":{"a":{"__proto__":{"b":1}}}}'), ['/attributes']],
  ['no object at all', 'ada', ['']],
])('refused, by the name of the field: %s', (_, document, expected) => {
  expect(pointers(document)).toEqual(expected)
})

test('at the bounds all is well', () => {
  expect(pointers({ userName: 'a'.repeat(128), attributes: { in: deep(7) } })).toEqual([])
})

test('a refusal never repeats the refused value', () => {
  const said = JSON.stringify(
    problems({ userName: 'x'.repeat(200), emails: [{ value: 'zanarykq' }], phone: 'zanarykq', locale: 'zanary kq' }),
  )
  expect(said).not.toContain('zanary')
})

// The examples of RFC 7396, appendix A, whose target and patch are objects.
test.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('merging %j with %j gives %j', (target, patch, result) => {
  expect(mergePatch(target, patch)).toEqual(result)
})

test('a patch cannot change a prototype', () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'))
  expect(Object.getPrototypeOf(merged)).toBe(Object.prototype)
  expect((merged as { polluted?: boolean }).polluted).toBeUndefined()
})
