import { describe, expect, it } from '@jest/globals'
import { judgeOf } from '@rollcall/bench'

const verdictOf = (newest: number, ...versions: readonly number[]) => {
  const judge = judgeOf()
  judge.expect('user', newest)
  for (const version of versions) judge.see('user', version)
  return judge.verdict()
}

const fine = { lost: 0, duplicates: 0, inverted: 0, oldAfterNew: 0, invented: 0 }

describe('the judge of a topic', () => {
  it('finds nothing in versions that are there once and in order', () => {
    expect(verdictOf(3, 1, 2, 3)).toEqual({ ...fine, committed: 3 })
  })

  it('counts a committed version that is nowhere as lost', () => {
    expect(verdictOf(3, 1, 3)).toEqual({ ...fine, committed: 3, lost: 1 })
  })

  it('counts a version that first comes after a later one as inverted', () => {
    expect(verdictOf(3, 1, 3, 2)).toEqual({ ...fine, committed: 3, inverted: 1 })
  })

  it('counts a repeat of the newest version as a duplicate only', () => {
    expect(verdictOf(2, 1, 2, 2)).toEqual({ ...fine, committed: 2, duplicates: 1 })
  })

  it('counts a repeat that takes a reader back as old after new', () => {
    expect(verdictOf(3, 1, 2, 1, 2, 3)).toEqual({ ...fine, committed: 3, duplicates: 2, oldAfterNew: 1 })
  })

  it('counts what nobody committed as invented', () => {
    const judge = judgeOf()
    judge.expect('user', 1)
    judge.see('user', 1)
    judge.see('user', 2)
    judge.see('stranger', 1)
    judge.see('user', Number.NaN)
    expect(judge.verdict()).toEqual({ ...fine, committed: 1, invented: 3 })
  })
})
