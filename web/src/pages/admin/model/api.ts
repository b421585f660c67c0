/** The REST interface for the organisers' pages. Free of the DOM: `fetch` comes from outside. */
import {
  type ApiFailure,
  ask,
  bodyOf,
  everyItem,
  type Fetch,
  newId,
  type Options,
  type Page,
  pageOf,
  type Query,
  queryText,
} from '$lib/api/client'
import type { JsonObject } from '$lib/api/types'
import { listOf, type Reader, readText, shape } from '$lib/api/read'

const readFields = listOf(
  shape<Record<'field' | 'message' | 'code', string>>()(({ field }) => ({
    field: field('field', readText),
    message: field('message', readText),
    code: field('code', readText),
  })),
)
/** Field by field why a body was refused. */
export const fieldsOf = ({ details }: ApiFailure) => readFields(details)

const TIMEOUT_MS = 15_000
/** A large schedule is read, compared and answered; a far server is asked for it first. */
export const SLOW_MS = 90_000

export class AdminApi {
  /** @param onunauthorized the login is over; asked again once somebody has logged in */
  constructor(
    private readonly fetcher: Fetch,
    private readonly onunauthorized: () => void = () => undefined,
  ) {}

  get(path: string, query: Query = {}): Promise<JsonObject> {
    return this.ask('GET', path, query)
  }

  post(path: string, json: unknown = {}, query: Query = {}, timeout_ms = TIMEOUT_MS): Promise<JsonObject> {
    return this.ask('POST', path, query, { json, timeout_ms })
  }

  /** An action on the running day: sent again where its answer was lost, done once. */
  tap(path: string, json: unknown = {}): Promise<JsonObject> {
    return this.ask('POST', path, {}, { json, id: newId() })
  }

  put(path: string, json: unknown): Promise<JsonObject> {
    return this.ask('PUT', path, {}, { json })
  }

  patch(path: string, json: unknown): Promise<JsonObject> {
    return this.ask('PATCH', path, {}, { json })
  }

  remove(path: string): Promise<JsonObject> {
    return this.ask('DELETE', path, {})
  }

  /** Sends a file as it is. */
  upload(path: string, body: Blob, query: Query = {}, timeout_ms = SLOW_MS): Promise<JsonObject> {
    return this.ask('POST', path, query, {
      body,
      headers: { 'Content-Type': 'application/octet-stream' },
      timeout_ms,
    })
  }

  /** Every page of a list; what `read` makes nothing of is left out. */
  all<T>(path: string, read: Reader<T>, query: Query = {}): Promise<T[]> {
    return everyItem((address) => this.get(address), path, query, read)
  }

  async page<T>(path: string, read: Reader<T>, query: Query = {}): Promise<Page<T>> {
    return pageOf(await this.get(path, query), read)
  }

  private async ask(method: string, path: string, query: Query, options: Options = {}): Promise<JsonObject> {
    const result = await ask(`/api/v1${path}${queryText(query)}`, {
      method,
      timeout_ms: TIMEOUT_MS,
      fetcher: this.fetcher,
      ...options,
    })
    if (!result.ok && result.status === 401) this.onunauthorized()
    return bodyOf(result)
  }
}

/** One segment of a path. */
export const segment = (id: string): string => encodeURIComponent(id)
