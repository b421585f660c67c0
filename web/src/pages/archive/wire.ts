/** The archive as the API tells it (`streamer/api/replays.py`), and what is looked for as the address tells it. */
import { readNumber, readText, readTextOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { readSession } from '$lib/protocol/day'

const readFound = shape<Schema['FoundLine']>()(({ needed, field }) => ({
  at_s: field('at_s', readNumber),
  text: needed('text', readTextOrNull),
}))

export type Replay = NonNullable<ReturnType<typeof readReplay>>
export const readReplay = shape<Schema['ReplayView']>()(({ needed, field }) => ({
  session: needed('session', readSession),
  still: field('still_url', readText),
  duration_ms: field('duration_ms', readNumber),
  found: field('found', readFound),
}))

export interface Wanted {
  q: string
  event: string
  tag: string
}

export function readWanted(search: string): Wanted {
  const query = new URLSearchParams(search)
  return { q: query.get('q') ?? '', event: query.get('event') ?? '', tag: query.get('tag') ?? '' }
}

/** A query of the address and of the API alike: `''` for everything. */
export function writeWanted(wanted: Wanted): string {
  const query = new URLSearchParams()
  for (const name of ['q', 'event', 'tag'] as const) {
    const value = wanted[name].trim()
    if (value) query.set(name, value)
  }
  return query.toString()
}

/** The query of one page of what is found. */
export function pageOf(wanted: Wanted, limit: number, cursor: string | null): string {
  const query = new URLSearchParams(writeWanted(wanted))
  query.set('limit', String(limit))
  if (cursor !== null) query.set('cursor', cursor)
  return query.toString()
}
