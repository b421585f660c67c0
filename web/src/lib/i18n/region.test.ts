import { afterEach, describe, expect, it, vi } from 'vitest'
import { clockTime, dayName, timeOfDay } from '$lib/time/times'
import { regional } from './region'

const AFTERNOON = Date.UTC(2026, 10, 24, 15, 31, 9)
const from = (...languages: string[]) => vi.stubGlobal('navigator', { languages })

afterEach(() => vi.unstubAllGlobals())

describe('the reader’s region', () => {
  it.each([
    ['en', ['en-GB', 'en-US'], 'en-GB'],
    ['en', ['fr-FR', 'en-US'], 'en-US'],
    ['en', ['en'], 'en-GB'],
    ['en', ['de-DE'], 'en-GB'],
    ['fr', ['fr-CA', 'en-CA'], 'fr-CA'],
    ['fr', ['en-US'], 'fr-FR'],
    ['en', ['not a tag', 'en-IE'], 'en-IE'],
  ] as const)('%s of %j is %s', (locale, languages, tag) => expect(regional(locale, languages)).toBe(tag))

  it('decides about twelve or twenty-four hours, and how a day is written', () => {
    from('en-GB')
    expect(timeOfDay(AFTERNOON, 'en', 'Europe/Paris')).toBe('16:31')
    expect(clockTime(AFTERNOON, 'en', 'Europe/Paris')).toBe('16:31:09')
    expect(timeOfDay(AFTERNOON - 9 * 3_600_000, 'en', 'Europe/Paris')).toBe('07:31')
    expect(dayName(AFTERNOON, 'en', 'Europe/Paris')).toBe('Tuesday 24 November')
    from('en-US')
    expect(timeOfDay(AFTERNOON, 'en', 'Europe/Paris')).toMatch(/^4:31\sPM$/u)
    expect(timeOfDay(AFTERNOON - 9 * 3_600_000, 'en', 'Europe/Paris')).toMatch(/^7:31\sAM$/u)
    expect(dayName(AFTERNOON, 'en', 'Europe/Paris')).toBe('Tuesday, November 24')
    // The region is of a language: a French page has French times, wherever its reader is.
    expect(timeOfDay(AFTERNOON, 'fr', 'Europe/Paris')).toBe('16:31')
  })
})
