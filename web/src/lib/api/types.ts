/** The server's own types: `python web/scripts/generate_types.py` makes them from its OpenAPI document and its socket's messages. */
import type { components as socket } from './events'
import type { components as rest } from './schema'

/** Bodies of REST. */
export type Schema = rest['schemas']
/** Messages of Socket.IO. */
export type SocketSchema = socket['schemas']

/** A JSON object whose fields nobody has looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * A message as a server one version older or newer may send it: any field may be missing, an enum may have a value more.
 * Fields of a newer version pass as they are.
 */
export type AnyVersion<T> = T extends string
  ? string extends T
    ? T
    : T | (string & {})
  : T extends readonly (infer I)[]
    ? readonly AnyVersion<I>[]
    : T extends object
      ? { readonly [K in keyof T]?: AnyVersion<T[K]> }
      : T
