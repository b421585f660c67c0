import { type Translation, translator } from '$lib/i18n'

export const en = {
  home: 'All rooms',
  title: '{title} — {room}',
  unknown: 'No such room',
  venueAndRoom: '{room}, {venue}',
  next: 'Next',
  nextAt: 'Next, {time}',
  watchOn: 'Open the room’s page',
  embedTitle: '{room}, live',
  audience: 'Audience',
} as const

export const fr: Translation<typeof en> = {
  home: 'Toutes les salles',
  title: '{title} — {room}',
  unknown: 'Salle introuvable',
  venueAndRoom: '{room}, {venue}',
  next: 'À suivre',
  nextAt: 'À suivre, {time}',
  watchOn: 'Ouvrir la page de la salle',
  embedTitle: '{room}, en direct',
  audience: 'Public',
}

export const t = translator({ en, fr })
