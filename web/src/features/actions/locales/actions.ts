import { type Translation, translator } from '$lib/i18n'

/** Actions of the crew, and undoing them. */
export const en = {
  'done.start': 'Started: {subject}',
  'done.end': 'Ended: {subject}',
  'done.extend': 'Extended: {subject}',
  'done.delay': 'Delayed: {subject}',
  'done.cancel': 'Cancelled: {subject}',
  'done.reopen': 'Reopened: {subject}',
  'done.answer': 'Answered: {subject}',
  'done.ad_hoc': 'Started ad hoc',
  'done.hold': 'Hold: slate and silence',
  'done.resume': 'Resumed',
  'done.slate': 'Slate changed',
  'done.take': 'Source changed',
  'done.gain': 'Gain changed',
  'done.set': 'Source set',
  'done.forget': 'Forgotten',
  'done.undo': 'Undo',
  'done.acknowledge': 'Alarm taken',
  'done.snooze': 'Alarm silenced',
  'done.normal': 'Alarm called normal',
  'done.not_normal': 'Alarm told again',
  'recent.title': 'What was done here',
  'recent.none': 'Nothing yet.',
  'recent.undone': 'undone',
  'recent.ad_hoc': 'Started ad hoc: {subject}',
  'undo.do': 'Undo',
  'undo.undone': 'Undone: {what}',
  'undo.recent': 'What was done here',
  'undo.dismiss': 'Hide',
} as const

export const fr: Translation<typeof en> = {
  'done.start': 'Démarrée : {subject}',
  'done.end': 'Terminée : {subject}',
  'done.extend': 'Prolongée : {subject}',
  'done.delay': 'Retardée : {subject}',
  'done.cancel': 'Annulée : {subject}',
  'done.reopen': 'Rouverte : {subject}',
  'done.answer': 'Répondu : {subject}',
  'done.ad_hoc': 'Démarrée hors programme',
  'done.hold': 'Suspendu : écran d’attente et silence',
  'done.resume': 'Reprise',
  'done.slate': 'Écran d’attente changé',
  'done.take': 'Source changée',
  'done.gain': 'Gain changé',
  'done.set': 'Source réglée',
  'done.forget': 'Oublié',
  'done.undo': 'Annulation',
  'done.acknowledge': 'Alarme prise',
  'done.snooze': 'Alarme muette',
  'done.normal': 'Alarme déclarée normale',
  'done.not_normal': 'Alarme signalée de nouveau',
  'recent.title': 'Ce qui a été fait ici',
  'recent.none': 'Rien encore.',
  'recent.undone': 'annulé',
  'recent.ad_hoc': 'Démarrée hors programme : {subject}',
  'undo.do': 'Annuler',
  'undo.undone': 'Annulé : {what}',
  'undo.recent': 'Ce qui a été fait ici',
  'undo.dismiss': 'Masquer',
}

export const t = translator({ en, fr })

/** An action in words, by its kind; an unknown kind as the server calls it. */
export function actionWords(kind: string, subject: string): string {
  if (kind === 'ad_hoc' && subject) return t('recent.ad_hoc', { subject })
  const key = `done.${kind}`
  if (!(key in en)) return subject ? `${kind}: ${subject}` : kind
  return (t as (key: string, values: { subject: string }) => string)(key, { subject: subject || '–' })
}
