import { type Translation, translator } from '$lib/i18n'

export const en = {
  title: 'Log in',
  'title.both': 'Take part, or log in',
  intro: 'Paste the link or the token that your organiser gave you.',
  label: 'Link or token',
  password: 'Administrator’s password',
  'use.password': 'I have the administrator’s password',
  'use.token': 'I have a link',
  submit: 'Log in',
  working: 'Logging in…',
  refused: 'This link is not valid. It may have been revoked, or not be complete: ask for a new one.',
  not_in_force: 'This link is not in force at this time: its session is over, or its time has not come yet.',
  wrong_password: 'This is not the password.',
  too_many: 'Too many attempts. Wait a minute and try again.',
  unreachable: 'The server does not answer. Try again.',
  bad: 'That is neither a link nor a token.',
} as const

export const fr: Translation<typeof en> = {
  title: 'Se connecter',
  'title.both': 'Participer, ou se connecter',
  intro: 'Collez le lien ou le jeton que l’organisation vous a donné.',
  label: 'Lien ou jeton',
  password: 'Mot de passe d’administration',
  'use.password': 'J’ai le mot de passe d’administration',
  'use.token': 'J’ai un lien',
  submit: 'Se connecter',
  working: 'Connexion…',
  refused: 'Ce lien n’est pas valide. Il a peut-être été révoqué, ou n’est pas complet : demandez-en un autre.',
  not_in_force: 'Ce lien n’est pas valable en ce moment : sa session est terminée, ou son heure n’est pas venue.',
  wrong_password: 'Ce n’est pas le mot de passe.',
  too_many: 'Trop de tentatives. Attendez une minute avant de réessayer.',
  unreachable: 'Le serveur ne répond pas. Réessayez.',
  bad: 'Ce n’est ni un lien ni un jeton.',
}

export const t = translator({ en, fr })
