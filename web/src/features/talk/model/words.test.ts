import { afterEach, expect, it } from 'vitest'
import { locale } from '$lib/i18n'
import { reasonText, refusalText, shortWait, waitText } from './words'

afterEach(() => locale.choose('en'))

it('counts down in seconds, then in minutes, and says which', () => {
  expect([shortWait(45_000, 0), waitText(45_000, 0)]).toEqual(['45 s', 'Again in 45 seconds.'])
  expect([shortWait(120_000, 0), waitText(120_000, 0)]).toEqual(['2 min', 'Again in 2 minutes.'])
  expect([shortWait(1_000, 1_000), waitText(null, 0)]).toEqual(['', ''])
  locale.choose('fr')
  expect([shortWait(45_000, 0), shortWait(120_000, 0)].map((words) => words.replace(/\s/, ' '))).toEqual([
    '45 s',
    '2 min',
  ])
})

it('tells the reason without the time, which a live region would read again and again', () => {
  const refusal = { code: 'flood', until_ms: 4_000, most: null }
  expect(reasonText(refusal)).toBe('That was a lot at once. A short pause, please.')
  expect(refusalText(refusal, 0)).toBe(`${reasonText(refusal)} Again in 4 seconds.`)
  expect(reasonText({ code: 'too_long', until_ms: null, most: 200 })).toBe('At most 200 characters, please.')
  expect(reasonText({ ...refusal, code: 'unheard_of' })).toBe('That did not work. Try again.')
})
