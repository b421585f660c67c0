import { describe, expect, it } from 'vitest'
import { type Catalogue, format, pickLocale } from './messages'

const modules = import.meta.glob<{ en?: Catalogue; fr?: Catalogue }>(['../../**/locales/**/*.ts', '!**/*.test.ts'], {
  eager: true,
})

// A feature keeps both languages in one file, or each in a file of its own (`locales/en.ts`, `locales/fr.ts`).
const catalogues: Record<string, { en?: Catalogue; fr?: Catalogue }> = {}
for (const [path, { en, fr }] of Object.entries(modules)) {
  const name = path.replace(/\/(en|fr)\.ts$/, '')
  catalogues[name] = { ...catalogues[name], ...(en && { en }), ...(fr && { fr }) }
}

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
const forms = (message: Catalogue[string] | undefined): string[] =>
  message === undefined ? [] : typeof message === 'string' ? [message] : [message.one, message.other]

describe.each(Object.entries(catalogues).filter(([, module]) => module.en))(
  'catalogue %s',
  (_path, { en = {}, fr = {} }) => {
    it('has the same keys in both languages', () => {
      expect(Object.keys(fr).sort()).toEqual(Object.keys(en).sort())
    })

    it('has the same placeholders in both languages, and no empty text', () => {
      for (const [key, message] of Object.entries(en)) {
        const other = forms(fr[key])
        expect(other.length, key).toBe(forms(message).length)
        forms(message).forEach((text, index) => {
          expect(text.trim(), key).not.toBe('')
          expect(other[index]?.trim(), key).not.toBe('')
          expect(placeholders(other[index] ?? ''), key).toEqual(placeholders(text))
        })
      }
    })
  },
)

describe('format', () => {
  it('fills placeholders and writes numbers as the language does', () => {
    expect(format('fr', '{n} s de retard', { n: 1234.5 })).toMatch(/^1\s234,5 s de retard$/u)
    expect(format('en', '{name} is live', { name: 'Turing' })).toBe('Turing is live')
  })

  it('leaves a placeholder without a value visible', () => {
    expect(format('en', 'Hello {name}')).toBe('Hello {name}')
  })

  it('takes the plural of the language: none is singular in French', () => {
    const rooms = { one: '{count} room', other: '{count} rooms' }
    expect(format('en', rooms, { count: 0 })).toBe('0 rooms')
    expect(format('fr', rooms, { count: 0 })).toBe('0 room')
    expect(format('fr', rooms, { count: 2 })).toBe('2 rooms')
  })
})

describe('pickLocale', () => {
  it('takes what was chosen before the browser’s languages', () => {
    expect(pickLocale('en', ['fr-FR', 'en'])).toBe('en')
  })
  it('takes the first language it knows, whatever the region', () => {
    expect(pickLocale(null, ['de-DE', 'fr-CA', 'en-GB'])).toBe('fr')
  })
  it('ends with English', () => {
    expect(pickLocale('xx', ['de'])).toBe('en')
  })
})
