import { type Translation, translator } from '$lib/i18n'

/** Finding where to cut: picture, waveform, silences. */
export const en = {
  monitor: 'All that was recorded',
  picture: 'The recorded picture',
  wave: 'Recorded sound',
  'wave.at.mark': '{time}, {mark}',
  play: 'Play',
  pause: 'Pause',
  'frame.back': 'One picture back',
  'frame.on': 'One picture on',
  begin: 'Begin here',
  end: 'End here',
  preview: 'Preview the cut',
  'preview.on': 'Preview of the cut',
  undo: 'Undo',
  'zoom.in': 'Show a shorter stretch',
  'zoom.out': 'Show a longer stretch',
  marks: 'Chapters and marks',
  'mark.began': 'The session began',
  'mark.ended': 'The session ended',
  failing: 'the picture cannot be loaded',
  'no.wave': 'The sound cannot be shown. The cut works without.',
  listening: 'Listening to the sound…',
  silences: {
    one: '{count} long silence, {length}.',
    other: '{count} long silences, {length} in all.',
  },
  'silences.skip': 'Skip silence',
  'silences.each': 'One by one',
  'silences.one': 'Leave out',
  precision:
    'A cut is exact to the picture, its sound to 11 ms. Up to two seconds of picture before a beginning stay in the file, though players never show them; “Forget” removes them.',
  hint: 'The cut is {length} long. Keys work while the focus is in here.',
} as const

export const fr: Translation<typeof en> = {
  monitor: 'Tout ce qui a été enregistré',
  picture: 'L’image enregistrée',
  wave: 'Son enregistré',
  'wave.at.mark': '{time}, {mark}',
  play: 'Lire',
  pause: 'Pause',
  'frame.back': 'Une image en arrière',
  'frame.on': 'Une image en avant',
  begin: 'Commencer ici',
  end: 'Finir ici',
  preview: 'Aperçu de la coupe',
  'preview.on': 'Aperçu de la coupe',
  undo: 'Annuler',
  'zoom.in': 'Montrer un passage plus court',
  'zoom.out': 'Montrer un passage plus long',
  marks: 'Chapitres et repères',
  'mark.began': 'Début de la session',
  'mark.ended': 'Fin de la session',
  failing: 'l’image ne peut pas être chargée',
  'no.wave': 'Le son ne peut pas être montré. La coupe marche sans.',
  listening: 'Écoute du son…',
  silences: {
    one: '{count} long silence, {length}.',
    other: '{count} longs silences, {length} en tout.',
  },
  'silences.skip': 'Sauter les silences',
  'silences.each': 'Un par un',
  'silences.one': 'Omettre',
  precision:
    'Une coupe est exacte à l’image près, son son à 11 ms près. Jusqu’à deux secondes d’image avant un début restent dans le fichier, sans que les lecteurs les montrent ; « Oublier » les efface.',
  hint: 'La coupe dure {length}. Les touches agissent quand le focus est ici.',
}

export const t = translator({ en, fr })
