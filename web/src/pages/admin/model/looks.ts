/** The look of a venue or event in its form: values, and what follows from its colour, in words. Pure. */
import { readNumber, readRecord, readText, readTextOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { locale } from '$lib/i18n'
import { t } from '../locales/looks'

export const COLOUR = /^#[0-9a-f]{6}$/
/** Text of any size: WCAG 2.2, 1.4.3 (AA). */
const TEXT_CONTRAST = 4.5
export const TYPEFACES = ['', 'system', 'serif', 'slab', 'rounded', 'mono'] as const

export type LookForm = Record<'colour' | 'typeface' | 'logo' | 'cover', string>

export const lookForm = (of: Readonly<LookForm> | null): LookForm => ({
  colour: of?.colour ?? '',
  typeface: of?.typeface ?? '',
  logo: of?.logo ?? '',
  cover: of?.cover ?? '',
})

const readPalette = shape<Schema['PaletteView']>()(({ needed, field }) => ({
  page: needed('page', readTextOrNull),
  text: needed('text', readTextOrNull),
  muted: needed('muted', readTextOrNull),
  accent: needed('accent', readTextOrNull),
  onAccent: needed('on_accent', readTextOrNull),
  band: needed('band', readTextOrNull),
  onBand: needed('on_band', readTextOrNull),
  given: field('given_contrast', readNumber),
  contrast: field('contrast', readNumber),
}))
export type Palette = NonNullable<ReturnType<typeof readPalette>>

export const readTheme = shape<Schema['ThemeView']>()(({ needed, field }) => ({
  dark: needed('dark', readPalette),
  light: needed('light', readPalette),
  families: field('families', readRecord),
}))
export type Theme = NonNullable<ReturnType<typeof readTheme>>

export const propertiesOf = (palette: Palette): string =>
  (['page', 'text', 'muted', 'accent', 'band'] as const).map((name) => `--color-${name}:${palette[name]}`).join(';') +
  `;--color-on-accent:${palette.onAccent};--color-on-band:${palette.onBand}`

/** The fate of the colour in a scheme, in words. */
export function contrastWords(palette: Palette, scheme: 'dark' | 'light'): string {
  const ratio = (value: number) =>
    new Intl.NumberFormat(locale.current, { maximumFractionDigits: 1 }).format(Math.floor(value * 10) / 10)
  if (palette.given >= TEXT_CONTRAST) return t('contrast.kept', { ratio: ratio(palette.given) })
  return t(`contrast.${scheme}`, {
    given: ratio(palette.given),
    ratio: ratio(palette.contrast),
    colour: palette.accent,
  })
}

export const familyOf = (theme: Theme | null, typeface: string): string =>
  readText(theme?.families[typeface]) || 'var(--font-body)'
