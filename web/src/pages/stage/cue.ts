import { isRecord, readText, readTextOrNull, readTime, type Session } from '$lib/protocol/day'

/** What moderators tell the speaker. Plain text. */
export interface Cue {
  id: string
  text: string
  /** Who says it. */
  label: string
  at_ms: number
}

/** Older ones are of another hour: a page that opens now does not show them. */
const LASTS_MS = 2 * 3_600_000
/** Said so long before a session began, it was still for this one. */
const BEFORE_MS = 10 * 60_000

export function readCue(data: unknown): Cue | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const text = readTextOrNull(data['text'])
  const at_ms = readTime(data['at'])
  return id === null || text === null || at_ms === null ? null : { id, text, label: readText(data['label']), at_ms }
}

/** Whether it is for whoever speaks now. */
export function stillCounts(cue: Cue, session: Session | null, now_ms: number): boolean {
  if (now_ms - cue.at_ms > LASTS_MS) return false
  return session?.started_ms == null || cue.at_ms >= session.started_ms - BEFORE_MS
}
