/** Dates and times as forms have them: a wall clock's, in a zone. Pure. */
import type { Locale } from '$lib/i18n'
import { regional } from '$lib/i18n/region'
import { dayOf, offsetOf } from '$lib/time/times'

const MINUTE_MS = 60_000

/** For `<input type="datetime-local">`: `2026-11-24T09:05` in the zone; '' for null. */
export function toLocal(at_ms: number | null, zone: string): string {
  if (at_ms === null) return ''
  return new Date(at_ms + offsetOf(at_ms, zone)).toISOString().slice(0, 16)
}

/** UTC ms of what such a field holds; null where it is empty or no time. An hour that happens twice is the first. */
export function fromLocal(text: string, zone: string): number | null {
  const utc = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(`${text.slice(0, 16)}:00Z`) : NaN
  if (Number.isNaN(utc)) return null
  // Once more with the offset found: at the first guess the clocks may have changed in between.
  const guess = utc - offsetOf(utc, zone)
  return utc - offsetOf(guess, zone)
}

export const rfc3339 = (at_ms: number | null): string | null => (at_ms === null ? null : new Date(at_ms).toISOString())

/** Minutes since midnight by the zone's clock. */
export function minuteOfDay(at_ms: number, zone: string): number {
  const local = new Date(at_ms + offsetOf(at_ms, zone))
  return local.getUTCHours() * 60 + local.getUTCMinutes()
}

/** The next full quarter of an hour. */
export const nextQuarter = (now_ms: number): number => Math.ceil(now_ms / (15 * MINUTE_MS)) * 15 * MINUTE_MS

/** `Tue 24 Nov, 09:05` in the zone. */
export function moment(at_ms: number | null, locale: Locale, zone: string): string {
  if (at_ms === null) return '–'
  return new Intl.DateTimeFormat(regional(locale), {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    ...(dayOf(at_ms, zone).slice(0, 4) !== dayOf(Date.now(), zone).slice(0, 4) && { year: 'numeric' as const }),
    hour: '2-digit',
    minute: '2-digit',
    timeZone: zone,
  }).format(at_ms)
}

/** `Tue 24 Nov` in the zone. */
export const shortDay = (at_ms: number, locale: Locale, zone: string): string =>
  new Intl.DateTimeFormat(regional(locale), {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: zone,
  }).format(at_ms)
