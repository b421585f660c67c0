/** Requests to this server's REST interface. `ask` is the only place that calls `fetch` for them and looks at an answer. */
import { isRecord, listOf, type Reader, readText, readTextOrNull, readTime } from './read'
import type { AnyVersion, JsonObject } from './types'

/** The error that the server names; `details` depends on the code. */
export interface ApiError {
  code: string
  message: string
  details: unknown
}

/**
 * `date_ms`: the header `Date`, UTC ms. `status` 0: no answer came; `code` is then `unreachable`. `retryAfter_ms`: the header
 * `Retry-After`; null without one.
 */
export type Result<T = JsonObject> =
  | { ok: true; data: AnyVersion<T>; date_ms: number | null }
  | { ok: false; status: number; error: ApiError; retryAfter_ms: number | null }

/** Thrown where a request did not do what it was to, by those that give the answer's body alone. */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message = '',
    readonly details: unknown = null,
  ) {
    super(message)
  }
}

/** @throws ApiFailure */
export function bodyOf<T>(result: Result<T>): AnyVersion<T> {
  if (result.ok) return result.data
  const { status, error } = result
  throw new ApiFailure(status, error.code, error.message, error.details)
}

export type Fetch = (input: string, init: RequestInit) => Promise<Response>

export interface Options extends RequestInit {
  /** A grant's; '' leaves it to the login cookie. */
  token?: string
  /** Sent as the body. */
  json?: unknown
  /** Null: only the signal ends it. */
  timeout_ms?: number | null
  /** The id of a tap: sent again with it where no answer came, it is done once. */
  id?: string
  fetcher?: Fetch
}

const TIMEOUT_MS = 8_000
/** Of a list: more than a network of venues has in a day. */
const MOST_PAGES = 50

/** Waits before a repeat. */
const REPEATS_MS = [500, 1_000, 2_000]
/** No repeat begins after this time. */
const REPEATS_WITHIN_MS = 10_000
const LOST = new Set(['core_lost', 'core_unavailable'])

/**
 * Sends a request, with an id again where its answer was lost. An answer without a JSON object is none, but for one that
 * has no body. Never rejects.
 */
export async function ask<T = JsonObject>(address: string, { id, ...options }: Options = {}): Promise<Result<T>> {
  if (id === undefined) return askOnce<T>(address, options)
  const began_ms = Date.now()
  const headers = { ...(options.headers as Record<string, string>), 'Idempotency-Key': `"${id}"` }
  for (let attempt = 0; ; attempt++) {
    const result = await askOnce<T>(address, { ...options, headers })
    const wait_ms = REPEATS_MS[attempt]
    const over = wait_ms === undefined || Date.now() - began_ms > REPEATS_WITHIN_MS || options.signal?.aborted
    if (result.ok || over || !isLost(result)) return result
    await new Promise((done) => setTimeout(done, wait_ms))
  }
}

/** Whether nobody knows what became of the request. */
const isLost = ({ status, error }: Extract<Result, { ok: false }>): boolean =>
  [0, 502, 504].includes(status) || LOST.has(error.code)

/** An id for a command, which nobody else makes. (`randomUUID` wants HTTPS.) */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function askOnce<T>(
  address: string,
  { token = '', json, timeout_ms = TIMEOUT_MS, fetcher = fetch, headers, signal, ...init }: Omit<Options, 'id'>,
): Promise<Result<T>> {
  const limits = [signal, timeout_ms === null ? null : AbortSignal.timeout(timeout_ms)].filter((one) => one != null)
  let response: Response
  try {
    response = await fetcher(address, {
      ...init,
      headers: {
        Accept: 'application/json',
        ...authorization(token),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(headers as Record<string, string>),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(token && { credentials: 'omit' }),
      signal: limits.length > 1 ? AbortSignal.any(limits) : (limits[0] ?? null),
    })
  } catch {
    return { ok: false, status: 0, error: errorOf('unreachable'), retryAfter_ms: null }
  }
  const { ok, status } = response
  const body: unknown = status === 204 ? {} : await response.json().catch(() => null)
  if (ok && isRecord(body)) {
    return { ok, data: body as AnyVersion<T>, date_ms: readTime(response.headers.get('Date')) }
  }
  const retry_s = Number.parseFloat(response.headers.get('Retry-After') ?? '')
  return {
    ok: false,
    status,
    error: readError(body) ?? errorOf(ok ? 'bad_answer' : `http_${status}`),
    retryAfter_ms: Number.isFinite(retry_s) ? retry_s * 1000 : null,
  }
}

/** Reads `{"error": {"code", "message", "details"}}`; null where it is something else (a proxy's page). */
export function readError(body: unknown): ApiError | null {
  const error = isRecord(body) ? body['error'] : null
  const code = isRecord(error) ? readTextOrNull(error['code']) : null
  if (!isRecord(error) || code === null) return null
  return { code, message: readText(error['message']), details: error['details'] ?? null }
}

/** An error of our own. */
export const errorOf = (code: string, message = ''): ApiError => ({ code, message, details: null })

export function authorization(token: string): Record<string, string> {
  return token ? { Authorization: `Bearer ${token}` } : {}
}

/** Reads one page of a list (`{"items": […], "cursor": …}`); items that are none are left out. Null: no list at all. */
export function readList<T>(body: unknown, read: Reader<T>): Page<T> | null {
  if (!isRecord(body) || !Array.isArray(body['items'])) return null
  return { items: listOf(read)(body['items']), cursor: readTextOrNull(body['cursor']) }
}

/** The same. @throws ApiFailure where it is no list */
export function pageOf<T>(body: unknown, read: Reader<T>): Page<T> {
  const list = readList(body, read)
  if (list === null) throw new ApiFailure(200, 'bad_answer', 'This is no list.')
  return list
}

export interface Page<T> {
  items: T[]
  cursor: string | null
}

/** All of a list, page by page. Rejects where a page does not come. */
export async function everyItem<T>(
  get: (address: string) => Promise<unknown>,
  path: string,
  query: Query,
  read: Reader<T>,
): Promise<T[]> {
  const all: T[] = []
  let cursor: string | null = null
  for (let page = 0; page < MOST_PAGES; page++) {
    const list: Page<T> = pageOf(await get(path + queryText({ ...query, limit: 200, cursor })), read)
    all.push(...list.items)
    cursor = list.cursor
    if (cursor === null) break
  }
  return all
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

/** `?a=1&b=two`, without what is empty; '' where nothing is left. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return text && `?${text}`
}
