/** A room's sessions around now, over REST. */

import { readList, readSession, type Session } from '$lib/protocol/day'
import type { Api } from '$lib/api/client'

const AROUND_MS = 18 * 3600_000
const MOST_PAGES = 5

/** Null where there was no answer. */
export async function readSessions(api: Api, room: string, now_ms: number): Promise<Session[] | null> {
  const found: Session[] = []
  const query = new URLSearchParams({
    room,
    from: new Date(now_ms - AROUND_MS).toISOString(),
    until: new Date(now_ms + AROUND_MS).toISOString(),
    limit: '200',
  })
  for (let page = 0; page < MOST_PAGES; page++) {
    const result = await api.get(`/api/v1/sessions?${query}`)
    const list = result.ok ? readList(result.data, readSession) : null
    if (!list) return null
    found.push(...list.items)
    if (list.cursor === null) break
    query.set('cursor', list.cursor)
  }
  return found
}
