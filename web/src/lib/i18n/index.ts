import { locale } from './locale.svelte'
import {
  type Arguments,
  type Catalogue,
  format,
  type Locale,
  LOCALES,
  mapTexts,
  nonBreaking,
  type Translation,
} from './messages'

export { locale, LOCALES, nonBreaking }
export type { Catalogue, Locale, Translation }

/** The function that `translator` returns: `t('key')` or `t('key', { name: … })`, typed by the English catalogue. */
export type Translate<C extends Catalogue> = <K extends keyof C & string>(key: K, ...rest: Arguments<C[K]>) => string

/**
 * Reads messages in the page's current language. Used in a template or a `$derived`, the text follows the language
 * switch by itself.
 *
 * @param catalogues one per language, all with the English one's keys
 */
export function translator<const C extends Catalogue>(catalogues: { en: C; fr: Translation<C> }): Translate<C> {
  const shown: Record<Locale, Catalogue> = { en: catalogues.en, fr: mapTexts(catalogues.fr, nonBreaking) }
  return (key, ...rest) => {
    const language = locale.current
    // A word of a newer server is shown as it is told.
    return format(language, shown[language][key] ?? key.slice(key.lastIndexOf('.') + 1), rest[0])
  }
}
