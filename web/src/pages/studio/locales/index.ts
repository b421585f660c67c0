import { translator } from '$lib/i18n'
import { en } from './en'
import { fr } from './fr'

export type StudioKey = keyof typeof en & string

export const t = translator({ en, fr })

/** A message whose key ends in a code that the server sent; null for codes that this page does not know. */
export function known(prefix: 'note', code: string): StudioKey | null {
  const key = `${prefix}.${code}`
  return key in en ? (key as StudioKey) : null
}
