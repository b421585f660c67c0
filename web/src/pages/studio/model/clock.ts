/** Clocks of the running day. Pure. */

import type { Locale } from '$lib/i18n'

const formats = new Map<string, Intl.DateTimeFormat>()

/** `09:07:12` by the venue's clock; crews read twenty-four hours in either language. */
export function clockTimeIn(at_ms: number, locale: Locale, zone: string): string {
  const key = `${locale} ${zone}`
  let format = formats.get(key)
  if (!format) {
    format = new Intl.DateTimeFormat(locale, {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZone: zone,
    })
    formats.set(key, format)
  }
  return format.format(at_ms)
}

/** `09:07` by the venue's clock. */
export function shortTimeIn(at_ms: number, locale: Locale, zone: string): string {
  return clockTimeIn(at_ms, locale, zone).slice(0, 5)
}
