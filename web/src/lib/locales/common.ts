import { type Translation, translator } from '$lib/i18n'

export const en = {
  unnamed: 'Guest',
  'role.admin': 'Admin',
  'role.organiser': 'Organiser',
  'role.technician': 'Technician',
  'role.moderator': 'Moderator',
  'role.speaker': 'Speaker',
  'role.captioner': 'Captions',
  product: 'Streamer',
  close: 'Close',
  language: 'Language',
  'language.en': 'English',
  'language.fr': 'Français',
} as const

export const fr: Translation<typeof en> = {
  unnamed: 'Invité',
  'role.admin': 'Admin',
  'role.organiser': 'Organisation',
  'role.technician': 'Technique',
  'role.moderator': 'Modération',
  'role.speaker': 'Intervenant',
  'role.captioner': 'Sous-titres',
  product: 'Streamer',
  close: 'Fermer',
  language: 'Langue',
  'language.en': 'English',
  'language.fr': 'Français',
}

export const t = translator({ en, fr })
