import { describe, expect, it } from 'vitest'
import { readPoll } from './items'
import { meanOf, shares } from './shares'

const poll = (votes: (number | null)[], voters: number, kind = 'single') =>
  readPoll({
    id: 'p',
    kind,
    question: 'Tea?',
    options: votes.map((count, id) => ({ id, text: `${id}`, votes: count })),
    voters,
    at: '2026-11-24T09:00:00Z',
  })!
const percents = (...given: Parameters<typeof poll>) => shares(poll(...given)).map(({ percent }) => percent)

describe('the parts of a poll', () => {
  it.each([
    [
      [1, 1, 1],
      [34, 33, 33],
    ],
    [
      [1, 1, 1, 1, 1, 1, 1],
      [15, 15, 14, 14, 14, 14, 14],
    ],
    [
      [5, 1, 1, 1],
      [63, 13, 12, 12],
    ],
    [
      [2, 1],
      [67, 33],
    ],
    [
      [0, 3],
      [0, 100],
    ],
    [
      [999, 1],
      [100, 0],
    ],
  ])('add up to 100 where everybody has one vote: %j', (votes, parts) => {
    const voters = votes.reduce((sum, count) => sum + count, 0)
    expect(percents(votes, voters)).toEqual(parts)
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(100)
  })

  it('are of the people where several answers are possible', () => {
    expect(percents([4, 2, 0], 4, 'multiple')).toEqual([100, 50, 0])
    expect(percents([1, 1, 1], 3, 'multiple')).toEqual([33, 33, 33])
  })

  it('are nothing without votes, and unknown while they are kept back', () => {
    expect(percents([0, 0], 0)).toEqual([0, 0])
    expect(percents([null, null], 9)).toEqual([null, null])
  })

  it('of a rating have a mean', () => {
    expect(meanOf(poll([0, 0, 1, 0, 1], 2, 'rating'))).toBe(4)
    expect(meanOf(poll([0, 0, 0], 0, 'rating'))).toBeNull()
    expect(meanOf(poll([null, null], 3, 'rating'))).toBeNull()
    expect(meanOf(poll([1, 1], 2))).toBeNull()
    expect(percents([1, 1, 1], 3, 'rating')).toEqual([34, 33, 33])
  })

  it('tell which has the most', () => {
    expect(shares(poll([2, 2, 1], 5)).map(({ first }) => first)).toEqual([true, true, false])
    expect(shares(poll([0, 0], 0)).map(({ first }) => first)).toEqual([false, false])
  })
})
