import { afterEach, expect, it } from 'vitest'
import { locale } from './i18n'
import { lengthText } from './locales/units'

afterEach(() => locale.use('en'))

it('tells a length in minutes and hours, as the language writes it', () => {
  const MINUTES = [0, 45, 60, 90, 725, 60_000]
  expect(MINUTES.map(lengthText)).toEqual(['0 min', '45 min', '1 h', '1 h 30 min', '12 h 05 min', '1,000 h'])
  locale.use('fr')
  expect(MINUTES.map(lengthText).map((text) => text.replace(/\s/g, ' '))).toEqual([
    '0 min',
    '45 min',
    '1 h',
    '1 h 30',
    '12 h 05',
    '1 000 h',
  ])
})
