import { translator, type Translation } from '$lib/i18n'

/** The crew line's ready sentences. Each is said in one of these languages and understood in all. */
export const en = {
  'call.microphone_off': 'The microphone is off',
  'call.call_me': 'Call me',
  'call.restart': 'Please restart the sending',
  'heard.microphone_off': 'Seen: the microphone is off',
  'heard.call_me': 'Seen: I call you',
  'heard.restart': 'Seen: I restart the sending',
  title: 'Message from the crew',
  from: 'From {name}, {time}',
  acknowledge: 'Understood',
  say: 'Say to {room}: {text}',
  sentences: 'Ready sentences',
} as const

export const fr: Translation<typeof en> = {
  'call.microphone_off': 'Le micro est coupé',
  'call.call_me': 'Appelez-moi',
  'call.restart': 'Relancez l’envoi, s’il vous plaît',
  'heard.microphone_off': 'Vu : le micro est coupé',
  'heard.call_me': 'Vu : je vous appelle',
  'heard.restart': 'Vu : je relance l’envoi',
  title: 'Message de l’équipe',
  from: 'De {name}, {time}',
  acknowledge: 'Compris',
  say: 'Dire à {room} : {text}',
  sentences: 'Phrases prêtes',
}

export const t = translator({ en, fr })
