import { describe, expect, it } from 'vitest'
import { addressAt, readOffset, writeOffset } from './offset'

describe('a place in an address', () => {
  it.each([
    ['500', 500],
    ['500s', 500],
    ['8m20s', 500],
    ['8m', 480],
    ['1h2m3s', 3723],
    ['1H', 3600],
    ['8:20', 500],
    ['1:02:03', 3723],
    ['0', 0],
  ])('%s is understood', (text, seconds) => expect(readOffset(text)).toBe(seconds))

  it.each([[null], [''], ['soon'], ['-5'], ['8m20'.repeat(9)], ['1e3'], ['5.5'], ['3s2m']])('%s is none', (text) =>
    expect(readOffset(text)).toBe(null),
  )

  it('is written as it is read', () => {
    expect([0, 45, 500, 3600, 3723, 3603.9].map(writeOffset)).toEqual(['0s', '45s', '8m20s', '1h', '1h2m3s', '1h3s'])
    for (const seconds of [0, 59, 60, 500, 3599, 3600, 86_399]) expect(readOffset(writeOffset(seconds))).toBe(seconds)
  })

  it('takes the place of another', () => {
    expect(addressAt('https://s.test/session/a/key?t=9&x=1', 593)).toBe('https://s.test/session/a/key?t=9m53s&x=1')
  })
})
