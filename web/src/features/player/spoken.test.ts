import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { SpokenCaptions } from './spoken.svelte'

let spoken: SpokenCaptions
beforeEach(() => {
  vi.useFakeTimers()
  spoken = new SpokenCaptions(() => Date.now())
})
afterEach(() => {
  spoken.clear()
  vi.useRealTimers()
})
const hear = (id: string, text: string, final = true, lang = 'fr') => spoken.hear({ id, lang, text, final })

it('shows what is typed as it is typed, two lines of a language at most', () => {
  hear('a', 'Bon', false)
  hear('a', 'Bonjour', false)
  expect(spoken.rows('fr')).toEqual(['Bonjour'])
  hear('a', 'Bonjour à tous')
  hear('b', 'et à toutes')
  hear('c', 'Hello', true, 'en')
  expect(spoken.rows('fr')).toEqual(['Bonjour à tous', 'et à toutes'])
  hear('d', 'Commençons')
  expect(spoken.rows('fr')).toEqual(['et à toutes', 'Commençons'])
  expect(spoken.rows('en')).toEqual(['Hello'])
  expect(spoken.rows(null)).toEqual([])
  expect(spoken.languages.map(({ tag }) => tag)).toEqual(['fr', 'en'])
})

it('takes a line away once it was read, or where its author does', async () => {
  hear('a', 'Bonjour')
  await vi.advanceTimersByTimeAsync(2_000)
  expect(spoken.rows('fr')).toEqual(['Bonjour'])
  await vi.advanceTimersByTimeAsync(2_000)
  expect(spoken.rows('fr')).toEqual([])
  hear('b', 'Oups', false)
  hear('b', '', false)
  expect(spoken.rows('fr')).toEqual([])
})

it('makes nothing of what is none', () => {
  spoken.hear({})
  spoken.hear({ id: 'a', text: 'x' })
  expect(spoken.languages).toEqual([])
})
