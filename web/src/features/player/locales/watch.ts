import { type Translation, translator } from '$lib/i18n'

export const en = {
  home: 'All rooms',
  title: '{title} — {room}',
  unknown: 'No such room',
  venueAndRoom: '{room}, {venue}',
  elsewhere: 'This takes place here, too. Its picture, chat and replay are those of {room}.',
  'elsewhere.go': 'Watch it there',
  fromStart: 'Watch from the start',
  behind: {
    one: 'You are {count} minute behind. “Catch up” plays a little faster until you are live again.',
    other: 'You are {count} minutes behind. “Catch up” plays a little faster until you are live again.',
  },
  replayGone: 'The recording is not available any more.',
  ended: '“{title}” has ended',
  'ended.ready': 'The replay is ready.',
  watchOn: 'Open the room’s page',
  embedTitle: '{room}, live',
  audience: 'Audience',
  talk: 'Show chat and questions',
  about: 'Abstract',
  shareLink: 'Share',
  copyAt: 'Copy at {time}',
  shareAt: 'Share at {time}',
} as const

export const fr: Translation<typeof en> = {
  home: 'Toutes les salles',
  title: '{title} — {room}',
  unknown: 'Salle introuvable',
  venueAndRoom: '{room}, {venue}',
  elsewhere: 'Cela se passe ici aussi. Image, chat et rediffusion sont ceux de : {room}.',
  'elsewhere.go': 'Regarder là-bas',
  fromStart: 'Regarder depuis le début',
  behind: {
    one: 'Vous avez {count} minute de retard. « Rattraper » lit un peu plus vite, jusqu’à rejoindre le direct.',
    other: 'Vous avez {count} minutes de retard. « Rattraper » lit un peu plus vite, jusqu’à rejoindre le direct.',
  },
  replayGone: 'L’enregistrement n’est plus disponible.',
  ended: '« {title} » est terminé',
  'ended.ready': 'La rediffusion est prête.',
  watchOn: 'Ouvrir la page de la salle',
  embedTitle: '{room}, en direct',
  audience: 'Public',
  talk: 'Afficher le chat et les questions',
  about: 'Résumé',
  shareLink: 'Partager',
  copyAt: 'Copier le lien à {time}',
  shareAt: 'Partager le lien à {time}',
}

export const t = translator({ en, fr })
