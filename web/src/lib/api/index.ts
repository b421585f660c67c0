/** Asking this server's REST interface from a page. */
import { readList } from '$lib/protocol/day'

const ASK_TIMEOUT_MS = 8_000
/** Pages of a list that are followed: more than a network of venues has in a day. */
const MOST_PAGES = 20

/** The answer's body; null for 404. Other failures are errors. Cookies go along. */
export async function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
  const limit = AbortSignal.timeout(ASK_TIMEOUT_MS)
  const response = await fetch(`/api/v1${path}`, {
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    headers: { Accept: 'application/json' },
  })
  if (response.status === 404) return null
  if (!response.ok) throw new Error(`status ${response.status}`)
  return await response.json()
}

/** The key in an unlisted session's shared link, `/session/{id}/{key}`, where the page was opened by one. */
export function linkKey(): string {
  const [, page, , key = ''] = typeof location === 'undefined' ? [] : location.pathname.split('/')
  return page === 'session' ? key : ''
}

/** What a request for a session says besides, so that its link opens it. */
export const linkQuery = (): Record<string, string> => (linkKey() ? { key: linkKey() } : {})

/** A request for a session as its link opens it. */
export const withLink = (path: string): string => (linkKey() ? `${path}?key=${linkKey()}` : path)

/** All of a list, page by page. Rejects where a page does not come. */
export async function getAll<T>(
  kind: string,
  query: Record<string, string>,
  read: (item: unknown) => T | null,
  signal?: AbortSignal,
): Promise<T[]> {
  const all: T[] = []
  let cursor: string | null = null
  for (let page = 0; page < MOST_PAGES; page++) {
    const asked: URLSearchParams = new URLSearchParams({
      ...query,
      limit: '200',
      ...(cursor === null ? {} : { cursor }),
    })
    const body: unknown = await getJson(`/${kind}?${asked}`, signal)
    const list = readList(body, read)
    if (!list) throw new Error(`no list of ${kind}`)
    all.push(...list.items)
    cursor = list.cursor
    if (cursor === null) break
  }
  return all
}

/** RFC 3339 of a moment. */
export const moment = (at_ms: number): string => new Date(at_ms).toISOString()

/** The path on this site of an address that the server gave in full. */
export function localPath(address: string): string {
  const url = new URL(address, location.href)
  return url.pathname + url.search
}
