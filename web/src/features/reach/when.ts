/** Times of the next and last days, in words. Pure. */
import type { Locale } from '$lib/i18n'
import { dayName, dayOf, timeOfDay } from '$lib/time/times'

/** `15:04`; on another day with its name. */
export function whenText(at_ms: number, now_ms: number, locale: Locale, zone?: string): string {
  const time = timeOfDay(at_ms, locale, zone)
  return dayOf(at_ms, zone) === dayOf(now_ms, zone) ? time : `${dayName(at_ms, locale, zone)}, ${time}`
}
