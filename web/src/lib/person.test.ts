import { afterEach, describe, expect, it } from 'vitest'
import { locale } from '$lib/i18n'
import { nameOf } from './person'

describe('somebody without a name', () => {
  afterEach(() => locale.choose('en'))

  it.each([
    ['en', 'Guest', 'Speaker'],
    ['fr', 'Invité', 'Intervenant'],
  ] as const)('in %s is %s, and of the crew or a speaker by their role', (language, nobody, speaker) => {
    locale.choose(language)
    expect(nameOf('')).toBe(nobody)
    expect(nameOf(null)).toBe(nobody)
    expect(nameOf('', 'speaker')).toBe(speaker)
    expect(nameOf('Ada', 'speaker')).toBe('Ada')
  })
})
