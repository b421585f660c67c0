import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { applyTheme as Apply } from './theme'

let branding: { name: string; logo: string; cover: string }
let siteName: () => string
let applyTheme: typeof Apply

const NONE = { name: 'Nantes', logo: '', cover: '', stylesheet: '' }
const venue = { ...NONE, logo: '/logos/v.png', cover: '/covers/v.jpg', stylesheet: ':root{--color-band:#e30613}' }
const event = { ...NONE, name: 'Two days', stylesheet: ':root{--color-band:#00aa66}' }
const sheet = { textContent: ':root{--first:1}' }
const meta = { content: '' }

beforeEach(async () => {
  vi.stubGlobal('location', { pathname: '/', origin: 'http://a.test' })
  vi.stubGlobal('document', {
    documentElement: {},
    getElementById: (id: string) => (id === 'branding' ? sheet : null),
    querySelectorAll: () => [meta],
  })
  vi.stubGlobal('getComputedStyle', () => ({ getPropertyValue: () => ' #0c0f15 ' }))
  ;({ branding, siteName } = await import('./branding.svelte'))
  ;({ applyTheme } = await import('./theme'))
})
afterEach(() => vi.unstubAllGlobals())

it('puts an event over its venue, and gives back what the page came with', () => {
  applyTheme(venue, event)
  expect(sheet.textContent).toBe(venue.stylesheet + event.stylesheet)
  expect({ ...branding }).toEqual({ name: 'Two days', logo: '/logos/v.png', cover: '/covers/v.jpg' })
  expect(siteName()).toBe('Two days')
  expect(meta.content).toBe('#0c0f15')
  applyTheme()
  expect(sheet.textContent).toBe(':root{--first:1}')
  expect(siteName()).toBe('Streamer')
})

it('takes nothing of what has no look', () => {
  applyTheme(venue, { ...NONE, name: 'Plain' })
  expect(branding.name).toBe('Nantes')
  applyTheme(NONE, null)
  expect({ ...branding }).toEqual({ name: '', logo: '', cover: '' })
  expect(sheet.textContent).toBe('')
})
