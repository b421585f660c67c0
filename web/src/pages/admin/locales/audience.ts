import { type Translation, translator } from '$lib/i18n'

export const en = {
  title: 'Audience',
  watched: 'Watched in all',
  peak: 'Peak',
  average: 'On average',
  questions: 'Questions',
  polls: 'Polls',
  'questions.csv': 'Questions (CSV)',
  'polls.csv': 'Polls (CSV)',
  'link.moderate': 'Moderators’ page',
  later: 'Figures come once it has begun.',
} as const

export const fr: Translation<typeof en> = {
  title: 'Public',
  watched: 'Vu en tout',
  peak: 'Pic',
  average: 'En moyenne',
  questions: 'Questions',
  polls: 'Sondages',
  'questions.csv': 'Questions (CSV)',
  'polls.csv': 'Sondages (CSV)',
  'link.moderate': 'Page de modération',
  later: 'Les chiffres viennent une fois la session commencée.',
}

export const t = translator({ en, fr })
