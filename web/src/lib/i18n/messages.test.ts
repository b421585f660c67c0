import { describe, expect, it } from 'vitest'
import { locale, translator } from '.'
import { type Catalogue, format, mapTexts, nonBreaking, pickLocale } from './messages'

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
        const [first, second] = [forms(message), forms(fr[key])]
        for (let index = 0; index < Math.max(first.length, second.length); index++) {
          const [text = '', other = ''] = [first[index] ?? first[0], second[index] ?? second[0]]
          expect(text.trim(), key).not.toBe('')
          expect(other.trim(), key).not.toBe('')
          expect(placeholders(other), key).toEqual(placeholders(text))
        }
      }
    })

    it('has whole punctuation', () => {
      for (const [key, message] of [...Object.entries(en), ...Object.entries(fr)]) {
        for (const text of forms(message)) {
          expect(text, key).not.toMatch(/[,;:][.,;]|\.\.|\s\s|\s[.,]|[“«][^”»]*$|^[^“«]*[”»]/u)
        }
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

describe('translator', () => {
  it('lets French be plural where English need not, with its own spaces', () => {
    const en = { open: '{count} open: {what}' } as const
    const t = translator({ en, fr: { open: { one: '{count} ouverte : {what}', other: '{count} ouvertes : {what}' } } })
    expect(t('open', { count: 1, what: 'A' })).toBe('1 open: A')
    locale.use('fr')
    expect(t('open', { count: 1, what: 'A : b' })).toBe('1 ouverte\u00a0: A : b')
    expect(t('open', { count: 2, what: 'A' })).toBe('2 ouvertes\u00a0: A')
    locale.use('en')
  })
})

describe('spaces in French', () => {
  it.each([
    ['Une pause ; encore ? Oui !', 'Une pause\u202f; encore\u202f? Oui\u202f!'],
    ['Dire à {room} : {text}', 'Dire à {room}\u00a0: {text}'],
    ['Démarrer « {title} » ?', 'Démarrer «\u00a0{title}\u00a0»\u202f?'],
    ['{share} %, −18 LUFS, 10 s.', '{share}\u00a0%, −18\u00a0LUFS, 10\u00a0s.'],
    ['{name} s’en occupe, 3 minutes', '{name} s’en occupe, 3 minutes'],
    ['Ouvrez https://exemple.org?a', 'Ouvrez https://exemple.org?a'],
  ])('%s', (text, shown) => expect(nonBreaking(text)).toBe(shown))

  it('are set in a whole catalogue, before the texts of people come in', () => {
    const { said } = mapTexts({ said: { one: '{name} : {count} s', other: '{name} : {count} s' } }, nonBreaking)
    expect(format('fr', said!, { name: 'Qui : moi ?', count: 2 })).toBe('Qui : moi ?\u00a0: 2\u00a0s')
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
