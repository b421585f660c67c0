import { expect, it } from 'vitest'
import { locale } from '$lib/i18n'
import { contrastWords, familyOf, propertiesOf, readTheme } from './looks'

const palette = { page: '#0c0f15', text: '#ffffff', muted: '#aaaaaa', accent: '#4a88fe', on_accent: '#000000' }
const THEME = {
  dark: { ...palette, band: '#0b4fd0', on_band: '#ffffff', given_contrast: 2.2, contrast: 4.51 },
  light: { ...palette, band: '#0b4fd0', on_band: '#ffffff', given_contrast: 5.86, contrast: 5.86 },
  families: { serif: 'Georgia,serif' },
}

it('says what becomes of a colour, in both languages', () => {
  const theme = readTheme(THEME)!
  locale.use('en')
  expect(contrastWords(theme.dark, 'dark')).toMatch(
    /2\.2:1, too little to read\. A lighter one is used, #4a88fe: 4\.5:1/,
  )
  expect(contrastWords(theme.light, 'light')).toBe('the colour reads well as it is, 5.8:1.')
  locale.use('fr')
  expect(contrastWords(theme.dark, 'dark')).toMatch(/2,2:1, trop peu.*plus claire/)
  locale.use('en')
})

it('dresses the preview in the derived colours, and takes no half theme', () => {
  const theme = readTheme(THEME)!
  expect(propertiesOf(theme.dark)).toContain('--color-accent:#4a88fe')
  expect(propertiesOf(theme.dark)).toContain('--color-on-band:#ffffff')
  expect(familyOf(theme, 'serif')).toBe('Georgia,serif')
  expect(familyOf(theme, '')).toBe('var(--font-body)')
  expect(readTheme({ ...THEME, light: {} })).toBeNull()
})
