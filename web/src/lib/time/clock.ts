import type { Locale } from '$lib/i18n'

/** A span as a clock shows it: `0:07`, `12:30`, `1:02:03`. */
export function span(duration_ms: number): string {
  const total = Math.max(0, Math.round(duration_ms / 1000))
  const seconds = String(total % 60).padStart(2, '0')
  const minutes = Math.floor(total / 60) % 60
  const hours = Math.floor(total / 3600)
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`
}

/** Seconds behind live with one decimal, in the language's way of writing numbers. */
export function seconds(duration_ms: number, locale: Locale): string {
  const digits = duration_ms < 9_950 ? 1 : 0
  return (Math.max(0, duration_ms) / 1000).toLocaleString(locale, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}
