import { expect, it } from 'vitest'
import { seconds, span } from './clock'

it('spans read like a clock', () => {
  expect([0, 7_400, 750_000, 3_723_000, -5].map(span)).toEqual(['0:00', '0:07', '12:30', '1:02:03', '0:00'])
})

it('seconds behind live have one decimal while that says something', () => {
  expect(seconds(1_840, 'en')).toBe('1.8')
  expect(seconds(1_840, 'fr')).toBe('1,8')
  expect(seconds(12_400, 'en')).toBe('12')
})
