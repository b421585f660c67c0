/**
 * Catalogues of messages: typed keys, `{name}` placeholders, plurals by `{count}`.
 *
 * A catalogue is written once in English (`as const`, which gives keys and placeholders their types) and once for
 * every other language as `Translation<typeof en>`. A feature owns its catalogues; nothing is registered anywhere.
 */

export const LOCALES = ['en', 'fr'] as const
export type Locale = (typeof LOCALES)[number]

export type Plural = { readonly one: string; readonly other: string }
export type Message = string | Plural
export type Catalogue = Readonly<Record<string, Message>>

/** The same keys in another language. What counts something may be plural in one language and not in another. */
export type Translation<C extends Catalogue> = {
  readonly [K in keyof C]: 'count' extends NamesOf<C[K]> ? Message : string
}

type Names<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never
type NamesOf<M extends Message> = M extends string ? Names<M> : M extends Plural ? Names<M['other']> | 'count' : never

/** The arguments that a message needs after its key: none, or its placeholders. */
export type Arguments<M extends Message> = [NamesOf<M>] extends [never]
  ? []
  : [values: { readonly [Name in NamesOf<M>]: string | number }]

const pluralRules = new Map<Locale, Intl.PluralRules>()

function rulesOf(locale: Locale): Intl.PluralRules {
  let rules = pluralRules.get(locale)
  if (!rules) {
    rules = new Intl.PluralRules(locale)
    pluralRules.set(locale, rules)
  }
  return rules
}

/**
 * French with the spaces that no line breaks at: before high punctuation, within guillemets, and between a number and
 * its unit. The catalogues have plain ones: in an editor all spaces look alike.
 */
export const nonBreaking = (text: string): string =>
  text
    .replace(/ (?=[;!?])/g, '\u202f')
    .replace(/ (?=[:»])/g, '\u00a0')
    .replace(/« /g, '«\u00a0')
    .replace(/([\d}]) (?=(?:%|dB\w*|h|i\/s|kbit\/s|kHz|ko|LUFS|min|Mo|ms|px|s)(?![\p{L}’]))/gu, '$1\u00a0')

/** A catalogue, each of its texts changed. */
export const mapTexts = (catalogue: Catalogue, change: (text: string) => string): Catalogue =>
  Object.fromEntries(
    Object.entries(catalogue).map(([key, message]) => [
      key,
      typeof message === 'string' ? change(message) : { one: change(message.one), other: change(message.other) },
    ]),
  )

/** The text of a message. Numbers are written as the language does; a placeholder without a value stays visible. */
export function format(
  locale: Locale,
  message: Message,
  values: Readonly<Record<string, string | number>> = {},
): string {
  const text =
    typeof message === 'string'
      ? message
      : rulesOf(locale).select(Number(values['count'] ?? 0)) === 'one'
        ? message.one
        : message.other
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? value.toLocaleString(locale) : value
  })
}

/** The first of the reader's languages that there is a catalogue for (`fr-CA` takes `fr`); what was chosen before wins. */
export function pickLocale(chosen: string | null | undefined, wanted: readonly string[]): Locale {
  for (const tag of [chosen ?? '', ...wanted]) {
    const base = tag.toLowerCase().split('-')[0]
    const known = LOCALES.find((locale) => locale === base)
    if (known) return known
  }
  return 'en'
}
