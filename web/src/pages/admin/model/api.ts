/** The REST interface for the organisers' pages. Free of the DOM: `fetch` comes from outside. */
import { isRecord, readError, readText } from '$lib/protocol/day'

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>
export type Fetch = (input: string, init: RequestInit) => Promise<Response>

/** What a field's value was refused for. */
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

  get(path: string, query: Query = {}): Promise<unknown> {
    return this.ask('GET', path, query)
  }

  post(path: string, body: unknown = {}, query: Query = {}, timeout_ms = TIMEOUT_MS): Promise<unknown> {
    return this.ask('POST', path, query, JSON.stringify(body), 'application/json', timeout_ms)
  }

  put(path: string, body: unknown): Promise<unknown> {
    return this.ask('PUT', path, {}, JSON.stringify(body), 'application/json')
  }

  patch(path: string, body: unknown): Promise<unknown> {
    return this.ask('PATCH', path, {}, JSON.stringify(body), 'application/json')
  }

  remove(path: string): Promise<unknown> {
    return this.ask('DELETE', path, {})
  }

  /** Sends a file as it is. */
  upload(path: string, file: Blob, query: Query = {}, timeout_ms = SLOW_MS): Promise<unknown> {
    return this.ask('POST', path, query, file, 'application/octet-stream', timeout_ms)
  }

  /** Every page of a list; what `read` makes nothing of is left out. */
  async all<T>(path: string, read: (item: unknown) => T | null, query: Query = {}): Promise<T[]> {
    const found: T[] = []
    let cursor: string | null = null
    for (let page = 0; page < MOST_PAGES; page++) {
      const one: Page<T> = await this.page(path, read, { ...query, limit: PAGE, cursor })
      found.push(...one.items)
      cursor = one.cursor
      if (cursor === null) break
    }
    return found
  }

  async page<T>(path: string, read: (item: unknown) => T | null, query: Query = {}): Promise<Page<T>> {
    const body = await this.get(path, query)
    if (!isRecord(body) || !Array.isArray(body['items'])) throw new ApiFailure(200, 'bad_answer', 'This is no list.')
    const items = (body['items'] as unknown[]).map(read).filter((item) => item !== null)
    return { items, cursor: readText(body['cursor']) || null }
  }

  private async ask(
    method: string,
    path: string,
    query: Query,
    body?: BodyInit,
    contentType?: string,
    timeout_ms = TIMEOUT_MS,
  ): Promise<unknown> {
    let response: Response
    try {
      response = await this.fetcher(`/api/v1${path}${queryText(query)}`, {
        method,
        headers: { Accept: 'application/json', ...(contentType && { 'Content-Type': contentType }) },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(timeout_ms),
      })
    } catch {
      throw new ApiFailure(0, 'unreachable', 'The server does not answer.')
    }
    const told = await readBody(response)
    if (response.ok) return told
    const error = readError(told)
    if (response.status === 401) this.onunauthorized()
    throw new ApiFailure(response.status, error?.code ?? 'http_error', error?.message ?? '', error?.details)
  }
}

export interface Page<T> {
  items: T[]
  cursor: string | null
}

async function readBody(response: Response): Promise<unknown> {
  if (response.status === 204) return null
  try {
    return (await response.json()) as unknown
  } catch {
    return null // A proxy's page.
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
