/** Times of the next and last days, in words. Pure. */
import type { Locale } from '$lib/i18n'
import { dayName, dayOf, timeOfDay } from '$lib/protocol/times'

/** `15:04`; on another day with its name. */
export function whenText(at_ms: number, now_ms: number, locale: Locale): string {
  const time = timeOfDay(at_ms, locale)
  return dayOf(at_ms) === dayOf(now_ms) ? time : `${dayName(at_ms, locale)}, ${time}`
}
