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

/** The same keys in another language, plural where the English one is plural. */
export type Translation<C extends Catalogue> = { readonly [K in keyof C]: C[K] extends string ? string : Plural }

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
