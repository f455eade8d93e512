import { systemClock } from '../../src/clock.js'
import { governor, nextDuty } from '../../src/rebuild/governor.js'

test('it works less while the delay is more than twice what it was, and more again after it', () => {
  expect(nextDuty(1, 19, 10, false)).toBe(1)
  expect(nextDuty(1, 21, 10, false)).toBe(0.75)
  expect(nextDuty(0.5, 10, 10, false)).toBeCloseTo(0.55)
  expect(nextDuty(1, 10, 10, false)).toBe(1)
})

test('it begins with little, and doubles it until the first delay', () => {
  expect(nextDuty(0.1, 10, 10, true)).toBe(0.2)
  expect(nextDuty(0.8, 10, 10, true)).toBe(1)
  expect(nextDuty(0.8, 21, 10, true)).toBeCloseTo(0.6)
})

test('it never stops altogether, and a delay of a few milliseconds is no reason to rest', () => {
  let duty = 1
  for (let looks = 0; looks < 50; looks++) duty = nextDuty(duty, 1_000, 1, false)
  expect(duty).toBe(0.05)
  expect(nextDuty(0.5, 4.9, 1, false)).toBeCloseTo(0.55)
})

test('a live side that grows slow makes it rest', async () => {
  const paced = governor({ clock: systemClock, probe: async () => {}, baselineMs: 1 })
  const slow = setInterval(() => paced.lived(500), 5)
  try {
    const deadline = Date.now() + 15_000
    const begins = paced.duty()
    while (paced.duty() >= begins && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(paced.duty()).toBeLessThan(begins)
    await paced.pace()
  } finally {
    clearInterval(slow)
    await paced.close()
  }
})
