/** A room's sessions around now, over REST. */

import { readSession, type Session } from '$lib/protocol/day'
import type { Api } from '$lib/api/api'

const AROUND_MS = 18 * 3600_000

/** Null where there was no answer. */
export function readSessions(api: Api, room: string, now_ms: number): Promise<Session[] | null> {
  return api.all(
    '/api/v1/sessions',
    { room, from: new Date(now_ms - AROUND_MS).toISOString(), until: new Date(now_ms + AROUND_MS).toISOString() },
    readSession,
  )
}
