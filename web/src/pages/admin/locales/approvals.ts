import { type Translation, translator } from '$lib/i18n'

/** A speaker's approval of their replay. */
export const en = {
  title: 'Speaker’s approval',
  intro:
    'The speaker sees the present cut by a link and approves it or asks for a change. Until then it is not published.',
  label: 'Speaker',
  days: 'The link is good for',
  'days.count': { one: '{count} day', other: '{count} days' },
  publish: 'Publish it as soon as it is approved',
  ask: 'Ask for approval',
  'ask.again': 'Make a new link',
  link: 'Link for {label}',
  'link.once': 'Copy it now: it is shown this once.',
  copy: 'Copy',
  copied: 'Copied',
  asked: 'Waits for {label}',
  approved: '{label} has approved this cut',
  change_wanted: '{label} asks for a change',
  'asked.at': 'Asked {time}.',
  'answered.at': 'Answered {time}.',
  'answered.before': 'Answered {time}, about the cut before.',
  until: 'The link is good until {time}.',
  over: 'The link is not good any more.',
  withdraw: 'Do not wait any more',
  'withdraw.done': '“{title}” waits for nobody any more.',
  'done.ask': 'The link for {label} is made.',
  'short.asked': 'waits for the speaker',
  'short.approved': 'approved',
  'short.change_wanted': 'change asked for',
} as const

export const fr: Translation<typeof en> = {
  title: 'Accord de l’intervenant',
  intro:
    'L’intervenant voit la coupe actuelle par un lien et l’approuve ou demande une modification. D’ici là, elle n’est pas publiée.',
  label: 'Intervenant',
  days: 'Le lien est valable',
  'days.count': { one: '{count} jour', other: '{count} jours' },
  publish: 'Publier dès que c’est approuvé',
  ask: 'Demander l’accord',
  'ask.again': 'Créer un nouveau lien',
  link: 'Lien pour {label}',
  'link.once': 'Copiez-le maintenant : il n’est affiché que cette fois.',
  copy: 'Copier',
  copied: 'Copié',
  asked: 'Attend l’accord de {label}',
  approved: '{label} a approuvé cette coupe',
  change_wanted: '{label} demande une modification',
  'asked.at': 'Demandé {time}.',
  'answered.at': 'Réponse {time}.',
  'answered.before': 'Réponse {time}, sur la coupe précédente.',
  until: 'Le lien est valable jusqu’à {time}.',
  over: 'Le lien n’est plus valable.',
  withdraw: 'Ne plus attendre',
  'withdraw.done': '« {title} » n’attend plus personne.',
  'done.ask': 'Le lien pour {label} est créé.',
  'short.asked': 'attend l’intervenant',
  'short.approved': 'approuvé',
  'short.change_wanted': 'modification demandée',
}

export const t = translator({ en, fr })
