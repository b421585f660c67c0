/** Requests of the public's pages. */
import { ask, bodyOf, everyItem, type Query } from './client'
import type { Reader } from './read'

/** The answer's body; null for 404. Cookies go along. @throws ApiFailure */
export async function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
  const result = await ask(`/api/v1${path}`, { signal: signal ?? null })
  return !result.ok && result.status === 404 ? null : bodyOf(result)
}

/** The key in an unlisted session's shared link, `/session/{id}/{key}`, where the page was opened by one. */
export function linkKey(): string {
  const [, page, , key = ''] = typeof location === 'undefined' ? [] : location.pathname.split('/')
  return page === 'session' ? key : ''
}

/** The query of a request for a session that was opened by its link. */
export const linkQuery = (): Record<string, string> => (linkKey() ? { key: linkKey() } : {})

/** A request for a session as its link opens it. */
export const withLink = (path: string): string => (linkKey() ? `${path}?key=${linkKey()}` : path)

/** All of a list, page by page. Rejects where a page does not come. */
export function getAll<T>(kind: string, query: Query, read: Reader<T>, signal?: AbortSignal): Promise<T[]> {
  return everyItem((path) => getJson(path, signal), `/${kind}`, query, read)
}

/** RFC 3339 of a moment. */
export const moment = (at_ms: number): string => new Date(at_ms).toISOString()

/** The path on this site of an address that the server gave in full. */
export function localPath(address: string): string {
  const url = new URL(address, location.href)
  return url.pathname + url.search
}
