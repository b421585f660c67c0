import { type Translation, translator } from '$lib/i18n'

export const en = {
  thanks: 'Thank you for watching',
  soon: 'The replay will be here in a moment.',
  review: 'The replay will be published after a review.',
  none: 'There is no replay of this session.',
  more: 'Past sessions',
} as const

export const fr: Translation<typeof en> = {
  thanks: 'Merci d’avoir suivi',
  soon: 'La rediffusion sera là dans un instant.',
  review: 'La rediffusion sera publiée après relecture.',
  none: 'Il n’y a pas de rediffusion de cette session.',
  more: 'Sessions passées',
}

export const t = translator({ en, fr })
