import type { Playhead } from './engine'

/** The span that the bar along the picture shows. */
export interface Timeline {
  /** UTC ms, or, of a recording, ms from its start. */
  unit: 'date' | 'span'
  start_ms: number
  end_ms: number
  at_ms: number
}

/** A moment that the bar marks, by its media time. */
export interface Chapter {
  id: string
  media_ms: number
  label: string
}

/** One press of a key that goes back. */
const STEP_MS = 10_000

/**
 * Where a seek of the element leads that would leave the loaded playlist at its start; null where it stays inside. Keys ask for
 * nothing below the element's zero, which is where that playlist begins.
 *
 * @param position_s asked for, in the element's time
 * @param current_s where the element is
 */
export function beforeStart({ at_ms, start_ms }: Playhead, position_s: number, current_s: number): number | null {
  if (at_ms === null || start_ms === null || position_s > current_s) return null
  const wanted_ms = Math.min(at_ms + (position_s - current_s) * 1000, position_s <= 0 ? at_ms - STEP_MS : Infinity)
  return wanted_ms < start_ms ? wanted_ms : null
}

/**
 * The timeline of a live broadcast; null while its times are unknown.
 *
 * @param dvrStart_ms where the long playlist begins, once it is loaded
 * @param wanted_ms where the viewer wants to be, while the player is on its way there
 */
export function liveTimeline(
  { at_ms, edge_ms, start_ms }: Playhead,
  dvrStart_ms: number | null,
  wanted_ms: number | null,
): Timeline | null {
  if (at_ms === null || edge_ms === null || start_ms === null) return null
  return {
    unit: 'date',
    start_ms: Math.min(start_ms, dvrStart_ms ?? start_ms),
    end_ms: Math.max(edge_ms, at_ms),
    at_ms: wanted_ms ?? at_ms,
  }
}
