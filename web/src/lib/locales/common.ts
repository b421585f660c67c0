import { type Translation, translator } from '$lib/i18n'

export const en = {
  unnamed: 'Guest',
  product: 'Streamer',
  close: 'Close',
  language: 'Language',
  'language.en': 'English',
  'language.fr': 'Français',
} as const

export const fr: Translation<typeof en> = {
  unnamed: 'Invité',
  product: 'Streamer',
  close: 'Fermer',
  language: 'Langue',
  'language.en': 'English',
  'language.fr': 'Français',
}

export const t = translator({ en, fr })
