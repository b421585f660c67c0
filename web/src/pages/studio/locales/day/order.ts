import type { Translation } from '$lib/i18n'

/** The running order. */
export const en = {
  'now.title': 'Now',
  'now.none': 'No session is on air.',
  'next.title': 'Next',
  'next.none': 'Nothing more is planned.',
  'order.title': 'Running order',
  'order.empty': 'Nothing is planned today.',
  'order.loading': 'Reading the running order…',
  'order.planned': 'Planned {start} – {end}',
  'order.shown': 'Expected {start} – {end}',
  'order.was': 'Really {start} – {end}',
  'order.since': 'On air since {start}',
  'order.delayed': { one: '{count} minute later than planned', other: '{count} minutes later than planned' },
  'order.taps': 'Taps for {title}',
  'order.speakers': 'With {names}',
  'order.ad_hoc': 'Ad hoc',
} as const

export const fr: Translation<typeof en> = {
  'now.title': 'Maintenant',
  'now.none': 'Aucune session à l’antenne.',
  'next.title': 'À suivre',
  'next.none': 'Plus rien de prévu.',
  'order.title': 'Conducteur',
  'order.empty': 'Rien n’est prévu aujourd’hui.',
  'order.loading': 'Lecture du conducteur…',
  'order.planned': 'Prévu {start} – {end}',
  'order.shown': 'Attendu {start} – {end}',
  'order.was': 'Réel {start} – {end}',
  'order.since': 'À l’antenne depuis {start}',
  'order.delayed': { one: '{count} minute plus tard que prévu', other: '{count} minutes plus tard que prévu' },
  'order.taps': 'Commandes pour {title}',
  'order.speakers': 'Avec {names}',
  'order.ad_hoc': 'Hors programme',
}
