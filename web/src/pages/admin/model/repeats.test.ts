import { describe, expect, it } from 'vitest'
import { MOST_COPIES, weekly } from './repeats'

describe('a weekly session', () => {
  it('takes place until its last day, over a change of clocks and a year', () => {
    expect(weekly('2026-10-19', 1, '2026-11-02')).toEqual(['2026-10-26', '2026-11-02'])
    expect(weekly('2026-12-24', 2, '2027-01-21')).toEqual(['2027-01-07', '2027-01-21'])
  })

  it('takes place nowhere else while the fields are being filled in, nor for ever', () => {
    expect(weekly('2026-10-19', 1, '2026-10-25')).toEqual([])
    expect(weekly('2026-10-19', 1, '')).toEqual([])
    expect(weekly('2026-10-19', 0, '2026-12-01')).toEqual([])
    expect(weekly('2026-10-19', 1, '9999-01-01')).toHaveLength(MOST_COPIES)
  })
})
