import { translator } from '$lib/i18n'
import type { Shown } from '../model/shown'
import { en } from './en'
import { fr } from './fr'

export type StudioKey = keyof typeof en & string

export const t = translator({ en, fr })

/** A sentence that says it. */
export function shownWords(shown: Shown): string {
  return 'source' in shown ? t(`shown.${shown.kind}`, { source: shown.source }) : t(`shown.${shown.kind}`)
}

/** A message whose key ends in a code that the server sent; null for codes that this page does not know. */
export function known(prefix: 'note', code: string): StudioKey | null {
  const key = `${prefix}.${code}`
  return key in en ? (key as StudioKey) : null
}
