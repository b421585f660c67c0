import { afterEach, expect, it } from 'vitest'
import { locale } from '$lib/i18n'
import { optionText } from './poll-option'

const shown = (...texts: string[]) => {
  const options = texts.map((text, id) => ({ id, text, votes: 0 }))
  return options.map((option) => optionText({ options }, option))
}

afterEach(() => locale.use('en'))

it('words the server’s yes and no in the reader’s language, and nothing else', () => {
  expect(shown('Yes', 'No')).toEqual(['Yes', 'No'])
  locale.use('fr')
  expect(shown('Yes', 'No')).toEqual(['Oui', 'Non'])
  expect(shown('No', 'Yes')).toEqual(['No', 'Yes'])
  expect(shown('Yes', 'No', 'Maybe')).toEqual(['Yes', 'No', 'Maybe'])
})
