import { describe, expect, it } from 'vitest'
import { addDays, countdown, dayName, dayOf, differsFromOwn, offsetOf, ownZone, startOfDay, timeOfDay } from './times'

const NOON = Date.UTC(2026, 10, 24, 12)

describe('a time of day', () => {
  it('is the venue’s, as the language writes it', () => {
    expect(timeOfDay(NOON, 'fr', 'Europe/Paris')).toBe('13:00')
    expect(timeOfDay(NOON, 'fr', 'Indian/Reunion')).toBe('16:00')
    expect(timeOfDay(NOON, 'en', 'Europe/Paris')).toBe('13:00')
    expect(dayName(NOON, 'fr', 'Europe/Paris')).toBe('mardi 24 novembre')
  })

  it('belongs to the venue’s day', () => {
    expect(dayOf(Date.UTC(2026, 10, 24, 23, 30), 'Europe/Paris')).toBe('2026-11-25')
    expect(dayOf(Date.UTC(2026, 10, 24, 2), 'America/Guadeloupe')).toBe('2026-11-23')
  })

  it('is told twice only where the reader’s clock shows another', () => {
    expect(differsFromOwn(NOON, ownZone())).toBe(false)
    expect(differsFromOwn(NOON, 'Pacific/Kiritimati')).toBe(offsetOf(NOON) !== 14 * 3_600_000)
  })
})

describe('a day', () => {
  it('begins at the venue’s midnight, also when its clocks change that day', () => {
    expect(startOfDay('2026-11-24', 'Europe/Paris')).toBe(Date.UTC(2026, 10, 23, 23))
    expect(startOfDay('2026-03-29', 'Europe/Paris')).toBe(Date.UTC(2026, 2, 28, 23))
    expect(startOfDay('2026-03-30', 'Europe/Paris')).toBe(Date.UTC(2026, 2, 29, 22))
    expect(startOfDay('2026-10-25', 'Europe/Paris')).toBe(Date.UTC(2026, 9, 24, 22))
    expect(startOfDay('2026-11-24', 'Pacific/Auckland')).toBe(Date.UTC(2026, 10, 23, 11))
  })

  it.each([['today'], ['2026-13-45'], ['']])('is none at %j', (day) => {
    expect(startOfDay(day, 'Europe/Paris')).toBeNull()
  })

  it('has neighbours across months', () => {
    expect(addDays('2026-11-30', 1)).toBe('2026-12-01')
    expect(addDays('2026-03-01', -1)).toBe('2026-02-28')
  })
})

it('counts down to nothing and no further', () => {
  expect(countdown(90_061_500)).toEqual({ days: 1, hours: 1, minutes: 1, seconds: 2 })
  expect(countdown(1)).toEqual({ days: 0, hours: 0, minutes: 0, seconds: 1 })
  expect(countdown(-5)).toEqual({ days: 0, hours: 0, minutes: 0, seconds: 0 })
})
