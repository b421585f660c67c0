/** What anybody of the crew did in the room lately (`streamer/api/crew.py`). Pure. */

import { isRecord, readList, readText, readTextOrNull, readTime } from '$lib/protocol/day'
import type { Api } from '$lib/api/client'

export interface RecentTap {
  id: string
  /** As taps are called here: `start`, `hold`, `slate`; what is new is called as the server does. */
  kind: string
  /** The session's title; '' where it is about the room. */
  subject: string
  at_ms: number
  by: string
  undone: boolean
  /** Now, and by us. */
  undoable: boolean
}

const MOST = 20

export function readRecent(body: unknown): RecentTap | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  const at_ms = readTime(body['at'])
  if (id === null || at_ms === null) return null
  return {
    id,
    // `session.start` and `air.slate`: what is before the point is told by the rest.
    kind: readText(body['kind']).replace(/^\w+\./, ''),
    subject: readText(body['title']),
    at_ms,
    by: readText(body['by']),
    undone: readTime(body['undone']) !== null,
    undoable: body['undoable'] === true,
  }
}

/** The newest first. Null where there was no answer. */
export async function askRecent(api: Api, room: string): Promise<RecentTap[] | null> {
  const result = await api.get(`/api/v1/actions?${new URLSearchParams({ room, limit: String(MOST) })}`)
  return result.ok ? (readList(result.data, readRecent)?.items ?? null) : null
}
