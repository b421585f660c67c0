/** The REST interface for the organisers' pages. Free of the DOM: `fetch` comes from outside. */
import { ask, everyPage, type Fetch, newId, type Options, type Page, readList } from '$lib/api/client'
import type { JsonObject } from '$lib/api/types'
import { isRecord, readText } from '$lib/api/read'

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

/** The reason why a field's value was refused. */
export interface FieldProblem {
  field: string
  message: string
  code: string
}

/** A request that did not do what it was to. `status` 0: the server was not reached; `code` is then `unreachable`. */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: unknown = null,
  ) {
    super(message)
  }

  /** Field by field, where the body was refused. */
  get fields(): FieldProblem[] {
    if (!Array.isArray(this.details)) return []
    return (this.details as unknown[]).filter(isRecord).map((item) => ({
      field: readText(item['field']),
      message: readText(item['message']),
      code: readText(item['code']),
    }))
  }
}

const TIMEOUT_MS = 15_000
/** A large schedule is read, compared and answered; a far server is asked for it first. */
export const SLOW_MS = 90_000
const PAGE = 200
const MOST_PAGES = 50

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
  all<T>(path: string, read: (item: unknown) => T | null, query: Query = {}): Promise<T[]> {
    return everyPage((cursor) => this.page(path, read, { ...query, limit: PAGE, cursor }), MOST_PAGES)
  }

  async page<T>(path: string, read: (item: unknown) => T | null, query: Query = {}): Promise<Page<T>> {
    const list = readList(await this.get(path, query), read)
    if (list === null) throw new ApiFailure(200, 'bad_answer', 'This is no list.')
    return list
  }

  private async ask(method: string, path: string, query: Query, options: Options = {}): Promise<JsonObject> {
    const result = await ask(`/api/v1${path}${queryText(query)}`, {
      method,
      timeout_ms: TIMEOUT_MS,
      fetcher: this.fetcher,
      ...options,
    })
    if (result.ok) return result.data
    const { status, error } = result
    if (status === 401) this.onunauthorized()
    throw new ApiFailure(status, error.code, error.message, error.details)
  }
}

/** `?a=1&b=two`, without what is empty; '' where nothing is left. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return text && `?${text}`
}

/** One segment of a path. */
export const segment = (id: string): string => encodeURIComponent(id)
