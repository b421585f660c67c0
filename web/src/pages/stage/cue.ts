import { type Read, readText, readTextOrNull, readTime, shape } from '$lib/api/read'
import type { SocketSchema } from '$lib/api/types'
import { type Session } from '$lib/protocol/day'

/** A moderator's message to the speaker. Plain text. */
export type Cue = Read<typeof readCue>
export const readCue = shape<SocketSchema['CrewMessageSent']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  text: needed('text', readTextOrNull),
  /** The moderator's. */
  label: field('label', readText),
  at_ms: needed('at', readTime),
}))

/** Older ones are of another hour: a page that opens now does not show them. */
const LASTS_MS = 2 * 3_600_000
/** Said so long before a session began, it was still for this one. */
const BEFORE_MS = 10 * 60_000

/** Whether it is for whoever speaks now. */
export function stillCounts(cue: Cue, session: Session | null, now_ms: number): boolean {
  if (now_ms - cue.at_ms > LASTS_MS) return false
  return session?.started_ms == null || cue.at_ms >= session.started_ms - BEFORE_MS
}
