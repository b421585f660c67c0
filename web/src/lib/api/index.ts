/** Requests of the public's pages. */
import { ask, everyPage, readList } from './client'
import type { Told } from './types'

/** The answer's body; null for 404. Other failures are errors. Cookies go along. */
export async function getJson<T = unknown>(path: string, signal?: AbortSignal): Promise<Told<T> | null> {
  const result = await ask<T>(`/api/v1${path}`, { signal: signal ?? null })
  if (result.ok) return result.data
  if (result.status === 404) return null
  throw new Error(`status ${result.status}`)
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
export async function getAll<T>(
  kind: string,
  query: Record<string, string>,
  read: (item: unknown) => T | null,
  signal?: AbortSignal,
): Promise<T[]> {
  return everyPage(async (cursor) => {
    const asked = new URLSearchParams({ ...query, limit: '200', ...(cursor === null ? {} : { cursor }) })
    const list = readList(await getJson(`/${kind}?${asked}`, signal), read)
    if (!list) throw new Error(`no list of ${kind}`)
    return list
  })
}

/** RFC 3339 of a moment. */
export const moment = (at_ms: number): string => new Date(at_ms).toISOString()

/** The path on this site of an address that the server gave in full. */
export function localPath(address: string): string {
  const url = new URL(address, location.href)
  return url.pathname + url.search
}
