import { expect, it } from 'vitest'
import { KNOWN_LANGUAGES, languageTag } from './languages'

it.each([
  ['fr', 'fr'],
  [' PT-br ', 'pt-BR'],
  ['zh-hant-tw', 'zh-Hant-TW'],
  ['gsw', 'gsw'],
  ['es-419', 'es-419'],
  ['french', null],
  ['fr_FR', null],
  ['', null],
  ['x-private', null],
])('a tag is read as people write it: %s', (text, tag) => {
  expect(languageTag(text)).toBe(tag)
})

it('knows each language once, in its usual letters', () => {
  expect(new Set(KNOWN_LANGUAGES).size).toBe(KNOWN_LANGUAGES.length)
  expect(KNOWN_LANGUAGES.map((tag) => languageTag(tag))).toEqual([...KNOWN_LANGUAGES])
})
