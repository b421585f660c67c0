import { translator, type Translation } from '$lib/i18n'

/** The words of the crew's private line, and of what viewers have trouble with. */
export const en = {
  title: 'Crew line',
  says: 'Between moderators and technicians. Viewers see nothing of it.',
  none: 'Nothing said yet.',
  unread: { one: '{count} new line', other: '{count} new lines' },
  'to.stage': 'to the stage',
  to: 'To',
  'to.screen': 'The speaker’s screen too',
  text: 'Say to the moderators',
  send: 'Send',
  back: 'Undo',
  'back.of': 'Undo: {text}',
  you: 'You',
  who: '{name}:',
  more: '+ {count} more',
  answer: 'Answer',
  seen: 'Seen',
  away: 'The connection is slow: lines come once it is back.',
  'no.unheard': 'No answer came. Look whether it is above before you send it again.',
  'no.not_connected': 'Not sent: the connection is not there at the moment.',
  'no.rate_limited': 'Too many at once. Wait a second.',
  'no.too_long': 'That is too long.',
  'no.not_allowed': 'This link does not allow that.',
  'no.gone': 'It cannot be taken back any more.',
  'no.other': 'Not done ({code}).',
  'trouble.title': 'Viewers report',
  'trouble.no_sound': 'no sound',
  'trouble.no_picture': 'no picture',
  'trouble.stutter': 'stuttering',
  'trouble.sync': 'sound and picture apart',
  'trouble.other': 'other trouble',
  'trouble.count': '{what}: {count}',
} as const

export const fr: Translation<typeof en> = {
  title: 'Ligne de l’équipe',
  says: 'Entre modération et technique. Le public n’en voit rien.',
  none: 'Rien encore.',
  unread: { one: '{count} nouveau message', other: '{count} nouveaux messages' },
  'to.stage': 'à la scène',
  to: 'À',
  'to.screen': 'L’écran de l’intervenant aussi',
  text: 'Dire à la modération',
  send: 'Envoyer',
  back: 'Annuler',
  'back.of': 'Annuler : {text}',
  you: 'Vous',
  who: '{name} :',
  more: { one: '+ {count} autre', other: '+ {count} autres' },
  answer: 'Répondre',
  seen: 'Vu',
  away: 'Connexion lente : les messages arriveront à son retour.',
  'no.unheard': 'Pas de réponse. Vérifiez ci-dessus avant de renvoyer.',
  'no.not_connected': 'Non envoyé : la connexion est coupée pour l’instant.',
  'no.rate_limited': 'Trop à la fois. Attendez une seconde.',
  'no.too_long': 'C’est trop long.',
  'no.not_allowed': 'Ce lien ne le permet pas.',
  'no.gone': 'Cela ne peut plus être annulé.',
  'no.other': 'Non fait ({code}).',
  'trouble.title': 'Le public signale',
  'trouble.no_sound': 'pas de son',
  'trouble.no_picture': 'pas d’image',
  'trouble.stutter': 'saccades',
  'trouble.sync': 'son et image décalés',
  'trouble.other': 'autre problème',
  'trouble.count': '{what} : {count}',
}

export const t = translator({ en, fr })

const CODES: Readonly<Record<string, keyof typeof en>> = {
  no_answer: 'no.unheard',
  timeout: 'no.unheard',
  not_connected: 'no.not_connected',
  rate_limited: 'no.rate_limited',
  too_long: 'no.too_long',
  unauthorized: 'no.not_allowed',
  forbidden: 'no.not_allowed',
  out_of_scope: 'no.not_allowed',
  not_now: 'no.not_allowed',
  no_such_action: 'no.gone',
  not_undoable: 'no.gone',
  superseded: 'no.gone',
}

/** Why a line was not sent, or not taken back. */
export function problemWords(code: string): string {
  const key = CODES[code]
  return key ? (t as (key: string) => string)(key) : t('no.other', { code })
}

/** `no sound: 2`. */
export function troubleWords(kind: string, count: number): string {
  const key = `trouble.${kind}`
  const what = key in en ? (t as (key: string) => string)(key) : t('trouble.other')
  return t('trouble.count', { what, count })
}
