/**
 * Reading what the server told. A shape names the fields of a schema that a page uses: the compiler refuses a name that the
 * server does not know. What an older server leaves out, or a newer one says in other words, becomes a field's fallback.
 */

export type Reader<T> = (value: unknown) => T | null

declare const OPTIONAL: unique symbol
interface Field<T> {
  readonly name: string
  readonly read: (value: unknown) => T
  /** Without it the whole is none. */
  readonly needed: boolean
  /** It stays away where it was not told. */
  readonly optional: boolean
}
type OptionalField<T> = Field<T> & { readonly [OPTIONAL]?: true; readonly optional: true }

type Fields = Readonly<Record<string, Field<unknown>>>
type ValueOf<F> = F extends Field<infer T> ? T : never
type Shaped<F extends Fields> = {
  [K in keyof F as F[K]['optional'] extends true ? never : K]: ValueOf<F[K]>
} & { [K in keyof F as F[K]['optional'] extends true ? K : never]?: ValueOf<F[K]> }
/** The type that a reader returns. */
export type Read<R> = R extends Reader<infer T> ? T : never

interface FieldMakers<S> {
  /** A field by its name in the schema. */
  field<T>(name: keyof S & string, read: (value: unknown) => T): Field<T> & { readonly optional: false }
  /** Without it there is nothing to do with the rest. */
  needed<T>(
    name: keyof S & string,
    read: (value: unknown) => T,
  ): Field<Exclude<T, null | undefined>> & { readonly optional: false }
  /** Told to some only. */
  maybe<T>(name: keyof S & string, read: (value: unknown) => T): OptionalField<T>
}

const MAKERS: FieldMakers<Record<string, unknown>> = {
  field: (name, read) => ({ name, read, needed: false, optional: false }),
  needed: <T>(name: string, read: (value: unknown) => T) => ({
    name,
    read: read as (value: unknown) => Exclude<T, null | undefined>,
    needed: true,
    optional: false,
  }),
  maybe: (name, read) => ({ name, read, needed: false, optional: true }),
}

/** `shape<Schema['VenueView']>()(({ field, needed }) => ({ id: needed('id', readTextOrNull), … }))` */
export function shape<S>() {
  return <F extends Fields>(make: (makers: FieldMakers<S>) => F): Reader<Shaped<F>> => {
    const fields = Object.entries(make(MAKERS as unknown as FieldMakers<S>))
    return (value) => {
      if (!isRecord(value)) return null
      const made: Record<string, unknown> = {}
      for (const [key, { name, read, needed, optional }] of fields) {
        if (optional && !(name in value)) continue
        const found = read(value[name])
        if (needed && (found === null || found === undefined)) return null
        made[key] = found
      }
      return made as Shaped<F>
    }
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const readText = (value: unknown): string => (typeof value === 'string' ? value : '')
export const readTextOrNull = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null
/** A text that may be empty, null where it is none. */
export const readAnyText = (value: unknown): string | null => (typeof value === 'string' ? value : null)
export const readYes = (value: unknown): boolean => value === true
export const readYesOrNull = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)
export const readNumberOrNull = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null
export const readNumber = (value: unknown): number => readNumberOrNull(value) ?? 0

/** RFC 3339, or media time in ms, to UTC ms. */
export function readTime(value: unknown): number | null {
  if (typeof value !== 'string') return readNumberOrNull(value)
  const at_ms = Date.parse(value)
  return Number.isNaN(at_ms) ? null : at_ms
}

/** One of the values that we know; another, or none, becomes the fallback. */
export const enumOr =
  <const T extends string, const O>(known: readonly T[], otherwise: O) =>
  (value: unknown): T | O =>
    known.find((item) => item === value) ?? otherwise

/**
 * A value that is shown or compared; null where it is not told. One of a newer server passes as it is, though its type does
 * not say so: it is shown raw, and equals none that we know.
 */
export const openEnum = <T extends string>(): Reader<T> => readTextOrNull as Reader<T>

/** The same, with a fallback where it is not told. */
export const openEnumOr =
  <T extends string>(otherwise: T) =>
  (value: unknown): T =>
    openEnum<T>()(value) ?? otherwise

/** A value that something is done by: one of a newer server becomes the fallback; null where it is not told. */
export const enumOrNull =
  <const T extends string>(known: readonly T[], otherwise: T) =>
  (value: unknown): T | null =>
    typeof value === 'string' ? enumOr(known, otherwise)(value) : null

export const readRecord = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {})

/** Of a list, what can be read. */
export const listOf =
  <T>(read: Reader<T>) =>
  (value: unknown): T[] =>
    Array.isArray(value) ? value.map(read).filter((item) => item !== null) : []
export const readTexts = listOf(readAnyText)
