import { type Translation, translator } from '$lib/i18n'

export const en = {
  title: 'API reference',
  lead: 'What programs may ask of this server and send to it. Version {version}.',
  documents: 'For programs',
  rest: 'REST',
  socket: 'Socket.IO',
  contents: 'Contents',
  find: 'Find an address, a command or an event',
  found: '{count} found',
  types: 'Types of {document}',
  open: 'Open to everybody; a link may show more.',
  closed: 'Needs a link’s token, or a login.',
  parameters: 'Parameters',
  takes: 'Takes',
  gives: 'Answers',
  data: 'Data',
  errors: 'Errors',
  required: 'required',
  unreachable: 'The documents do not come. Load the page again.',
} as const

export const fr: Translation<typeof en> = {
  title: 'Référence de l’API',
  lead: 'Ce que les programmes peuvent demander à ce serveur et lui envoyer. Version {version}.',
  documents: 'Pour les programmes',
  rest: 'REST',
  socket: 'Socket.IO',
  contents: 'Sommaire',
  find: 'Chercher une adresse, une commande ou un événement',
  found: { one: '{count} trouvé', other: '{count} trouvés' },
  types: 'Types de {document}',
  open: 'Ouvert à tout le monde ; un lien peut en montrer plus.',
  closed: 'Demande le jeton d’un lien, ou une connexion.',
  parameters: 'Paramètres',
  takes: 'Reçoit',
  gives: 'Renvoie',
  data: 'Données',
  errors: 'Erreurs',
  required: 'obligatoire',
  unreachable: 'Les documents ne se chargent pas. Rechargez la page.',
}

export const t = translator({ en, fr })
