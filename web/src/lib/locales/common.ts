import { type Translation, translator } from '$lib/i18n'

export const en = {
  product: 'Streamer',
  close: 'Close',
  language: 'Language',
  'language.en': 'English',
  'language.fr': 'Français',
} as const

export const fr: Translation<typeof en> = {
  product: 'Streamer',
  close: 'Fermer',
  language: 'Langue',
  'language.en': 'English',
  'language.fr': 'Français',
}

export const t = translator({ en, fr })
