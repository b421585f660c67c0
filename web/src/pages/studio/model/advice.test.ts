import { describe, expect, it } from 'vitest'
import { en } from '../locales/en'
import { fr } from '../locales/fr'
import { fitting } from './advice'

describe('advice', () => {
  it('offers a smaller picture only where there is one, and says when it can be chosen', () => {
    expect(fitting('1080p', false)).toBe('')
    expect(fitting('1080p', true)).toBe('.later')
    expect(fitting('720p', false)).toBe('.smallest')
    expect(fitting('720p', true)).toBe('.smallest')
  })

  it('names 720p nowhere else', () => {
    for (const words of [en, fr]) {
      const named = Object.entries(words).filter(
        ([key, text]) => /^(advice|hint)\./.test(key) && /720/.test(String(text)),
      )
      expect(named.map(([key]) => key)).toEqual(['advice.smaller', 'advice.smaller.later'])
    }
  })
})
