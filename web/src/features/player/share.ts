import type { Timeline } from './timeline'

/** Less than this after the start, the moment is the start. */
const LEAST_MS = 2_000

/**
 * The place in the session's replay of what is seen, ms from its start; null where there is none.
 *
 * @param started_ms of the session on air, a media time
 */
export function placeOf(timeline: Timeline | null, replay: boolean, started_ms: number | null): number | null {
  if (!timeline) return null
  if (replay) return timeline.unit === 'span' && timeline.at_ms >= LEAST_MS ? timeline.at_ms : null
  if (timeline.unit !== 'date' || started_ms === null) return null
  const at_ms = timeline.at_ms - started_ms
  return at_ms >= LEAST_MS ? at_ms : null
}
