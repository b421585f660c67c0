import { locale, nonBreaking } from '$lib/i18n'

/**
 * The server's sentences about a schedule file, with `{}` for a name, number or date, and the same in French. A test
 * compares the former with the server's.
 */
const SENTENCES: readonly (readonly [english: string, french: string])[] = [
  ['The day {} has no rooms.', 'La journée {} n’a pas de salles.'],
  ['The room {} has no list of events.', 'La salle {} n’a pas de liste de sessions.'],
  ['An event in {} is no object.', 'Une session de {} n’est pas un objet.'],
  ['An event is no object.', 'Une session n’est pas un objet.'],
  ['The schedule has no version.', 'Le programme n’a pas de version.'],
  ['{} may be {}: give one an alias.', '{} peut être {} : donnez un autre nom à l’une d’elles.'],
  ["{} is a room of another venue than the event's.", '{} est une salle d’un autre lieu que celui de l’événement.'],
  ['{} are taken for one room ({}).', '{} passent pour une seule salle ({}).'],
  ['{} is taken for {} rooms.', '{} passe pour {} salles.'],
  ['It is left out: its state is {}.', 'Laissée de côté : son état est {}.'],
  ['It has no title.', 'Elle n’a pas de titre.'],
  ["It has no room: it is shown as the venue's.", 'Elle n’a pas de salle : elle est montrée comme celle du lieu.'],
  ['It begins outside of its day.', 'Elle commence en dehors de sa journée.'],
  ['{} is no language.', '{} n’est pas une langue.'],
  ['It is left out: its begin is unknown.', 'Laissée de côté : on ne sait pas quand elle commence.'],
  ['Its start is made from the day and the time of day.', 'Son début est composé de la journée et de l’heure.'],
  ['Its date has no offset: taken as local time.', 'Sa date n’a pas de décalage horaire : prise pour l’heure locale.'],
  ['It is left out: its date is not valid.', 'Laissée de côté : sa date n’est pas valable.'],
  ['Its date says {}, its start {}: the date counts.', 'Sa date dit {}, son début {} : c’est la date qui compte.'],
  [
    'It has no duration that can be read: {} minutes are taken.',
    'Elle n’a pas de durée lisible : {} minutes sont prises.',
  ],
  ['It has no end that can be read: {} minutes are taken.', 'Elle n’a pas de fin lisible : {} minutes sont prises.'],
  ['It lasts longer than a day.', 'Elle dure plus d’un jour.'],
  ['{} is “{}”: taken as yes.', '{} vaut « {} » : pris pour oui.'],
  ['The XML is broken: {}.', 'Le XML est abîmé : {}.'],
  [
    'It stands under the room {} and says {}: the former counts.',
    'Elle est rangée sous la salle {} et dit {} : c’est la première qui compte.',
  ],
  ['The schedule has no title.', 'Le programme n’a pas de titre.'],
  [
    'A part of the file is not UTF-8: it is read as Windows-1252.',
    'Une partie du fichier n’est pas en UTF-8 : elle est lue comme du Windows-1252.',
  ],
  [
    'The file ends too early: a part may be missing.',
    'Le fichier se termine trop tôt : il en manque peut-être une partie.',
  ],
  ['{} lines are folded wrongly.', '{} lignes sont mal repliées.'],
  ['The time zone {} cannot be read.', 'Le fuseau horaire {} est illisible.'],
  ['There is no time zone called {}.', 'Il n’y a pas de fuseau horaire nommé {}.'],
  ['It is left out: {}.', 'Laissée de côté : {}.'],
  [
    'It has no time of day: it lasts from midnight to midnight.',
    'Elle n’a pas d’heure : elle dure de minuit à minuit.',
  ],
  ['Not all its repetitions are here: {}.', 'Toutes ses répétitions ne sont pas là : {}.'],
  ['There is no session in this schedule.', 'Il n’y a aucune session dans ce programme.'],
  ['There are {} more warnings.', 'Il y a {} autres avertissements.'],
  ['The guid {} stands for two sessions.', 'Le guid {} désigne deux sessions.'],
  ['The id {} stands for two sessions.', 'L’identifiant {} désigne deux sessions.'],
  ['It begins in {} before “{}” ends.', 'Elle commence dans {} avant la fin de « {} ».'],
  ["The guid of the room {} is another room's too.", 'Le guid de la salle {} est aussi celui d’une autre.'],
]

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const known = SENTENCES.map(
  ([english, french]) =>
    [new RegExp(`^${english.split('{}').map(escaped).join('(.*)')}$`), nonBreaking(french)] as const,
)

/** A warning of the server in the page's language; one that is not known here stays as it was told. */
export function warningText(message: string): string {
  if (locale.current !== 'fr') return message
  for (const [pattern, french] of known) {
    const found = pattern.exec(message)
    if (found) return found.slice(1).reduce((text, value) => text.replace('{}', () => value), french)
  }
  return message
}
