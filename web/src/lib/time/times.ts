/** Times of day for people, in a zone, as the reader's region writes them. */
import type { Locale } from '$lib/i18n'
import { hourStyle, regional } from '$lib/i18n/region'

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(locale: Locale, zone: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const tag = regional(locale)
  const key = `${tag} ${zone} ${JSON.stringify(options)}`
  let format = formats.get(key)
  if (!format) {
    format = new Intl.DateTimeFormat(tag, zone === undefined ? options : { ...options, timeZone: zone })
    formats.set(key, format)
  }
  return format
}

/** The reader's own zone. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** `14:05`, `2:05 PM`; the reader's own zone without one. */
export function timeOfDay(at_ms: number, locale: Locale, zone?: string): string {
  return formatOf(locale, zone, { hour: hourStyle(regional(locale)), minute: '2-digit' }).format(at_ms)
}

/** `14:05:09`, `2:05:09 PM`, for places in a live broadcast. */
export function clockTime(at_ms: number, locale: Locale, zone?: string): string {
  const hour = hourStyle(regional(locale))
  return formatOf(locale, zone, { hour, minute: '2-digit', second: '2-digit' }).format(at_ms)
}

/** `Tuesday 24 November`, in the language's order. */
export function dayName(at_ms: number, locale: Locale, zone?: string): string {
  return formatOf(locale, zone, { weekday: 'long', day: 'numeric', month: 'long' }).format(at_ms)
}

/** The calendar day of a moment in a zone: `2026-11-24`. */
export function dayOf(at_ms: number, zone?: string): string {
  const parts = formatOf('en', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(at_ms)
  const part = (type: string) => parts.find((other) => other.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')}`
}

/** The distance of a zone from UTC at a moment, ahead of it positive, in ms. */
export function offsetOf(at_ms: number, zone?: string): number {
  const parts = formatOf('en', zone, {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    hourCycle: 'h23',
  }).formatToParts(at_ms)
  const part = (type: string) => Number(parts.find((other) => other.type === type)?.value ?? 0)
  const asUtc = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return asUtc - Math.floor(at_ms / 1000) * 1000
}

/** Whether a clock in the zone shows another time than the reader's own. */
export function differsFromOwn(at_ms: number, zone: string): boolean {
  return offsetOf(at_ms, zone) !== offsetOf(at_ms)
}

/** When a calendar day (`2026-11-24`) begins in a zone, UTC ms; null where it is no day. */
export function startOfDay(day: string, zone: string): number | null {
  const utc = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN
  if (Number.isNaN(utc)) return null
  // Once more with the offset found: at the first guess the clocks may have changed in between.
  const guess = utc - offsetOf(utc, zone)
  return utc - offsetOf(guess, zone)
}

/** The day before or after, as a calendar has it. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

/** A time to go as a countdown shows it: days, hours, minutes, seconds. */
export function countdown(left_ms: number): { days: number; hours: number; minutes: number; seconds: number } {
  const left_s = Math.max(0, Math.ceil(left_ms / 1000))
  return {
    days: Math.floor(left_s / 86_400),
    hours: Math.floor(left_s / 3600) % 24,
    minutes: Math.floor(left_s / 60) % 60,
    seconds: left_s % 60,
  }
}
