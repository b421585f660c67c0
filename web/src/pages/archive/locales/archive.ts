import { type Translation, translator } from '$lib/i18n'

export const en = {
  title: 'Past sessions',
  lead: 'Watch again what was on, or find where something was said.',
  search: 'Search titles, speakers, topics and what was said',
  event: 'Event',
  'event.all': 'All events',
  tag: 'Topic: {tag}',
  'tag.clear': 'All topics',
  loading: 'Looking',
  empty: 'Nothing is found',
  'empty.text': 'Try fewer or other words.',
  none: 'No replays yet',
  'none.text': 'A session appears here when it has ended and its replay is published.',
  unreachable: 'The server does not answer',
  'unreachable.text': 'Try again in a moment.',
  more: 'Show more',
  count: { one: '{count} session', other: '{count} sessions' },
  'count.more': 'The newest {count} sessions',
  said: 'Said at {time}',
  home: 'All rooms',
} as const

export const fr: Translation<typeof en> = {
  title: 'Sessions passées',
  lead: 'Revoyez ce qui a eu lieu, ou retrouvez où quelque chose a été dit.',
  search: 'Chercher dans les titres, les noms, les thèmes et ce qui a été dit',
  event: 'Événement',
  'event.all': 'Tous les événements',
  tag: 'Thème : {tag}',
  'tag.clear': 'Tous les thèmes',
  loading: 'Recherche',
  empty: 'Rien n’a été trouvé',
  'empty.text': 'Essayez avec moins de mots, ou d’autres.',
  none: 'Pas encore de rediffusion',
  'none.text': 'Une session apparaît ici quand elle est terminée et que sa rediffusion est publiée.',
  unreachable: 'Le serveur ne répond pas',
  'unreachable.text': 'Réessayez dans un instant.',
  more: 'Afficher la suite',
  count: { one: '{count} session', other: '{count} sessions' },
  'count.more': 'Les {count} dernières sessions',
  said: 'Dit à {time}',
  home: 'Toutes les salles',
}

export const t = translator({ en, fr })
