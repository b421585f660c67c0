/** The crew's last actions in a room (`streamer/api/crew.py`). Pure. */

import { type Read, readText, readTextOrNull, readTime, readYes, shape } from '$lib/api/read'
import type { Api } from '$lib/api/api'
import { readList } from '$lib/api/client'
import type { Schema } from '$lib/api/types'

const MOST = 20

export type RecentTap = Read<typeof readRecent>
export const readRecent = shape<Schema['ActionView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  /** As taps are called here: of `session.start` and `air.slate` the part after the point. */
  kind: field('kind', (value) => readText(value).replace(/^\w+\./, '')),
  /** The session's title; '' where it is about the room. */
  subject: field('title', readText),
  at_ms: needed('at', readTime),
  by: field('by', readText),
  undone: field('undone', (value) => readTime(value) !== null),
  /** Now, and by us. */
  undoable: field('undoable', readYes),
}))

/** The newest first. Null where there was no answer. */
export async function askRecent(api: Api, room: string): Promise<RecentTap[] | null> {
  const result = await api.get(`/api/v1/actions?${new URLSearchParams({ room, limit: String(MOST) })}`)
  return result.ok ? (readList(result.data, readRecent)?.items ?? null) : null
}
