import { createHash } from 'node:crypto'
import { FAKE_DEPARTMENTS, FAKE_DOMAINS, FAKE_REGIONS, type FakeName, type FakeRegion } from './fake-people.js'

/** An invented user, in the form `POST /v1/users` takes. */
export interface FakeUser {
  readonly userName: string
  readonly emails: readonly { readonly value: string; readonly primary?: boolean }[]
  readonly name: { readonly given: string; readonly family: string; readonly display: string }
  readonly phone?: string
  readonly locale: string
  readonly timezone: string
  readonly attributes: { readonly department: string; readonly employeeNumber: string }
}

/**
 * Invents `count` users. The same seed gives the same users, in the same order, whatever the count; within a seed each
 * userName and address occurs once, and hardly ever in two seeds. One user at a time: memory does not grow.
 */
export function* fakeUsers(count: number, seed = '1'): Generator<FakeUser> {
  const hash = createHash('sha256').update(seed).digest()
  const random = sequenceOf(hash)
  // Three letters of the seed: users of two seeds can live in one tenant.
  const mark = (hash.readUInt32BE(28) % 36 ** 3).toString(36).padStart(3, '0')
  for (let index = 1; index <= count; index++) yield fakeUser(index, mark, random)
}

function fakeUser(index: number, mark: string, random: Random): FakeUser {
  const region = weighted(random)
  const given = pick(region.given, random)
  const family = pick(region.family, random)
  // The index makes it unique without remembering what was given out.
  const userName = `${slug(given[1])}.${slug(family[1])}.${mark}${index.toString(36)}`
  const emails = [{ value: `${userName}@${pick(FAKE_DOMAINS, random)}`, primary: true }]
  const hasSecondEmail = random() < 0.15
  const hasPhone = random() < 0.8
  const phone = region.phones.length === 0 ? undefined : digits(pick(region.phones, random), random)
  return {
    userName,
    emails: hasSecondEmail ? [...emails, { value: `${userName}.home@${pick(FAKE_DOMAINS, random)}` }] : emails,
    name: { given: given[0], family: family[0], display: displayOf(region, given, family, random) },
    ...(hasPhone && phone !== undefined && { phone }),
    locale: region.locale,
    timezone: pick(region.timezones, random),
    attributes: { department: pick(FAKE_DEPARTMENTS, random), employeeNumber: String(100_000 + index) },
  }
}

function displayOf(region: FakeRegion, [given]: FakeName, [family]: FakeName, random: Random): string {
  if (region.order === 'familygiven') return family + given
  if (region.order === 'family given') return `${family} ${given}`
  // One in eight as a directory lists them, and one in forty with a nickname: both must be quoted in CSV.
  const manner = random()
  if (manner < 0.125) return `${family}, ${given}`
  return manner < 0.15 ? `${given} "${given.slice(0, 3)}" ${family}` : `${given} ${family}`
}

type Random = () => number

// xoshiro128** seeded by a hash, so that seeds "1" and "2" start far apart. Math.random cannot be seeded.
function sequenceOf(hash: Buffer): Random {
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => hash.readUInt32LE(at)) as [number, number, number, number]
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result / 2 ** 32
  }
}

const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by))

const pick = <T>(from: readonly T[], random: Random): T => from[Math.floor(random() * from.length)] as T

const TOTAL_WEIGHT = FAKE_REGIONS.reduce((sum, region) => sum + region.weight, 0)

function weighted(random: Random): FakeRegion {
  let left = random() * TOTAL_WEIGHT
  for (const region of FAKE_REGIONS) {
    left -= region.weight
    if (left < 0) return region
  }
  return FAKE_REGIONS[0] as FakeRegion
}

const digits = (pattern: string, random: Random) => pattern.replace(/#/g, () => String(Math.floor(random() * 10)))

const slugs = new Map<string, string>()

/** Letters that Unicode does not decompose into a base and an accent. */
const UNDECOMPOSED: Record<string, string> = { ß: 'ss', ł: 'l', đ: 'd', ø: 'o', ı: 'i', æ: 'ae' }

function slug(name: string): string {
  let known = slugs.get(name)
  if (known === undefined) {
    known = name
      .normalize('NFD')
      .toLowerCase()
      .replace(/[ßłđøıæ]/g, (letter) => UNDECOMPOSED[letter] as string)
      .replace(/[^a-z0-9-]/g, '')
    slugs.set(name, known)
  }
  return known
}
