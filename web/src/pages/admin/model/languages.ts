/** Languages that captions are often typed in; others are given by their tag. */
export const KNOWN_LANGUAGES = [
  'fr',
  'en',
  'ar',
  'bg',
  'br',
  'ca',
  'co',
  'cs',
  'cy',
  'da',
  'de',
  'el',
  'es',
  'et',
  'eu',
  'fa',
  'fi',
  'ga',
  'gl',
  'he',
  'hi',
  'hr',
  'hu',
  'hy',
  'it',
  'ja',
  'ka',
  'ko',
  'lt',
  'lv',
  'mt',
  'nb',
  'nl',
  'oc',
  'pl',
  'pt',
  'pt-BR',
  'ro',
  'ru',
  'sk',
  'sl',
  'sq',
  'sr',
  'sv',
  'th',
  'tr',
  'uk',
  'vi',
  'zh',
] as const

/** A room has no more. */
export const MOST_LANGUAGES = 8

const TAG = /^[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?$/i

/** A BCP 47 tag (language, script, region) in its usual letters; null where it is none. */
export function languageTag(text: string): string | null {
  const trimmed = text.trim()
  if (!TAG.test(trimmed)) return null
  try {
    return Intl.getCanonicalLocales(trimmed)[0] ?? null
  } catch {
    return null
  }
}
