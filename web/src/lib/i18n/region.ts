import type { Locale } from './messages'

/** Where the browser tells no region of the page's language: with twenty-four hours, as the venues' slates have. */
const PLAIN: Record<Locale, string> = { en: 'en-GB', fr: 'fr-FR' }

/** The page's language as the reader's region writes it: `en-GB` has 16:31 where `en-US` has 4:31 PM. */
export function regional(locale: Locale, preferred: readonly string[] = navigatorLanguages()): string {
  return preferred.find((tag) => regionOf(tag, locale) !== null) ?? PLAIN[locale]
}

/** `2-digit` where clocks have twenty-four hours: `06:35`, as on the slate; `numeric` where it is `6:35 AM`. */
export function hourStyle(tag: string): 'numeric' | '2-digit' {
  const { hourCycle } = new Intl.DateTimeFormat(tag, { hour: 'numeric' }).resolvedOptions()
  return hourCycle === 'h11' || hourCycle === 'h12' ? 'numeric' : '2-digit'
}

function regionOf(tag: string, locale: Locale): string | null {
  try {
    const { language, region } = new Intl.Locale(tag)
    return language === locale && region !== undefined ? region : null
  } catch {
    return null
  }
}

const navigatorLanguages = (): readonly string[] =>
  typeof navigator === 'undefined' ? [] : (navigator.languages ?? [])
