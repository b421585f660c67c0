import { expect, it } from 'vitest'
import { lengthOf, pieces, shortened, withoutNumber } from './text'

it('tells addresses from the words around them, as they were written', () => {
  expect(pieces('see https://example.org/a?b=1, or (http://example.net/x).')).toEqual([
    { text: 'see ', href: null },
    { text: 'https://example.org/a?b=1', href: 'https://example.org/a?b=1' },
    { text: ', or (', href: null },
    { text: 'http://example.net/x', href: 'http://example.net/x' },
    { text: ').', href: null },
  ])
})

it.each([
  'javascript:alert(1)',
  'data:text/html,x',
  '<a href=javascript:x>',
  'https://user@example.org/',
  'http://localhost/',
  'https://',
  'words only',
  '',
])('makes no address of %j', (text) => expect(pieces(text)).toEqual([{ text, href: null }]))

it('shows a name that may be drawn like another as it is looked up', () => {
  expect(pieces('https://аррlе.com/login?x=1').map(({ text, href }) => [text, href])).toEqual([
    ['https://xn--l-7sbq6ba.com/login?x=1', 'https://xn--l-7sbq6ba.com/login?x=1'],
  ])
  expect(pieces('http://café.example:8080/é')).toEqual([
    { text: 'http://xn--caf-dma.example:8080/é', href: 'http://xn--caf-dma.example:8080/%C3%A9' },
  ])
})

it('ends an address at what could end an attribute', () => {
  expect(pieces('https://example.org/"onclick=x').map(({ href }) => href)).toEqual(['https://example.org/', null])
})

it('counts and shortens by characters', () => {
  expect(lengthOf(' 👏👏 ')).toBe(2)
  expect(shortened('👏'.repeat(5), 3)).toBe('👏👏…')
  expect(shortened('abc', 3)).toBe('abc')
})

it('knows the number that tells namesakes apart from a name', () => {
  expect(withoutNumber('Ada 2', ' Ada ')).toBe('Ada')
  expect(withoutNumber('Ada', 'Ada')).toBe('Ada')
  expect(withoutNumber('Ada 2', 'Ada 2')).toBe('Ada 2')
  expect(withoutNumber('Ada L.', 'Ada')).toBe('Ada L.')
  expect(withoutNumber('Grace H.', ' Grace  H.')).toBe('Grace H.')
})
