import { describe, expect, it } from 'vitest'
import { comingAt } from './coming'

describe('a session that comes', () => {
  it.each([
    [-1, 'Next, 09:00'],
    [0, 'Beginning now'],
    [119_999, 'Beginning now'],
    [120_000, 'Beginning late, planned for 09:00'],
  ])('is next until its time, %i ms', (past_ms, words) => {
    expect(comingAt(1_000_000, 1_000_000 + past_ms, '09:00')).toBe(words)
  })
})
