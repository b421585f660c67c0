import type { Locale } from './messages'

const names = new Map<Locale, Intl.DisplayNames>()

/** A language's name in another: `français`; the tag itself where the browser does not know it. */
export function languageName(tag: string, locale: Locale): string {
  let display = names.get(locale)
  if (!display) {
    display = new Intl.DisplayNames(locale, { type: 'language' })
    names.set(locale, display)
  }
  try {
    return display.of(tag) ?? tag
  } catch {
    return tag
  }
}
