import { type Translation, translator } from '$lib/i18n'

export const en = {
  title: 'Rooms',
  lead: 'Live from our venues. Pick a room to watch.',
  loading: 'Looking which rooms are on air',
  empty: 'No rooms yet',
  'empty.text': 'A room appears here as soon as the operator has made it.',
  unreachable: 'The server does not answer',
  'unreachable.text': 'Trying again by itself.',
  live: 'Live',
  slate: 'Back in a moment',
  off: 'Off air',
  picture: 'What {room} shows now',
  count: { one: '{count} room on air', other: '{count} rooms on air' },
} as const

export const fr: Translation<typeof en> = {
  title: 'Salles',
  lead: 'En direct de nos lieux. Choisissez une salle.',
  loading: 'Recherche des salles à l’antenne',
  empty: 'Pas encore de salle',
  'empty.text': 'Une salle apparaît ici dès que l’exploitant l’a créée.',
  unreachable: 'Le serveur ne répond pas',
  'unreachable.text': 'Nouvelle tentative automatique.',
  live: 'En direct',
  slate: 'De retour dans un instant',
  off: 'Hors antenne',
  picture: 'Ce que montre {room} en ce moment',
  count: { one: '{count} salle à l’antenne', other: '{count} salles à l’antenne' },
}

export const t = translator({ en, fr })
