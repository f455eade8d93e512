import { percent, upperBound } from '../../src/chaos/bound.js'

test('no violation in n trials bounds the chance of one by 3/n, and says nothing below three trials', () => {
  expect(upperBound(300)).toBe(0.01)
  expect(upperBound(2)).toBe(1)
  expect(upperBound(0)).toBe(1)
  expect([0.01, 0.0033333, 0.0003, 0.25].map(percent)).toEqual(['1 %', '0.33 %', '0.03 %', '25 %'])
})

test('the bound is close to the exact one, and never below it', () => {
  for (const trials of [10, 100, 300, 3_000]) {
    const exact = 1 - 0.05 ** (1 / trials)
    expect(upperBound(trials)).toBeGreaterThanOrEqual(exact)
    expect(upperBound(trials)).toBeLessThan(exact * 1.2)
  }
})
