import { describe, expect, it } from 'vitest'
import { fromLocal, minuteOfDay, moment, nextQuarter, toLocal } from './when'

const PARIS = 'Europe/Paris'

describe('a form’s times', () => {
  it.each([
    ['2026-11-24T09:05', '2026-11-24T08:05:00Z'],
    ['2026-07-01T09:05', '2026-07-01T07:05:00Z'],
    ['2026-12-31T23:59', '2026-12-31T22:59:00Z'],
  ])('%s in Paris is %s, and back', (local, utc) => {
    expect(fromLocal(local, PARIS)).toBe(Date.parse(utc))
    expect(toLocal(Date.parse(utc), PARIS)).toBe(local)
  })

  it('stand on one side when the clocks change', () => {
    expect(fromLocal('2026-10-25T12:00', PARIS)).toBe(Date.parse('2026-10-25T11:00:00Z'))
    expect(fromLocal('2026-10-25T00:30', PARIS)).toBe(Date.parse('2026-10-24T22:30:00Z'))
    expect(fromLocal('2026-03-29T12:00', PARIS)).toBe(Date.parse('2026-03-29T10:00:00Z'))
  })

  it('are nothing where nothing was filled in', () => {
    expect(fromLocal('', PARIS)).toBeNull()
    expect(fromLocal('2026-13-99T00:00', PARIS)).toBeNull()
    expect(toLocal(null, PARIS)).toBe('')
  })

  it('count the minutes of a day by its own clock', () => {
    expect(minuteOfDay(Date.parse('2026-11-24T08:05:00Z'), PARIS)).toBe(9 * 60 + 5)
    expect(minuteOfDay(Date.parse('2026-11-24T08:05:00Z'), 'Asia/Kolkata')).toBe(13 * 60 + 35)
  })
})

it('rounds up to the next quarter', () => {
  expect(nextQuarter(Date.parse('2026-11-24T08:05:01Z'))).toBe(Date.parse('2026-11-24T08:15:00Z'))
  expect(nextQuarter(Date.parse('2026-11-24T08:15:00Z'))).toBe(Date.parse('2026-11-24T08:15:00Z'))
})

it('writes moments', () => {
  expect(moment(Date.parse('2020-11-24T08:05:00Z'), 'fr', PARIS)).toMatch(/mar.*24 nov.*2020.*09:05/)
  expect(moment(null, 'en', PARIS)).toBe('–')
})
