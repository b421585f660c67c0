/** Places in a recording as addresses tell them (`?t=500`, `?t=8m20s`), in seconds from its start. */

const PARTS = /^(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s?)?$/
const CLOCK = /^(?:(\d{1,3}):)?(\d{1,2}):(\d{2})$/

/** Seconds; null where it is no place. `8:20` is understood as well: people type it. */
export function readOffset(text: string | null): number | null {
  if (!text) return null
  const found = PARTS.exec(text.trim().toLowerCase()) ?? CLOCK.exec(text.trim())
  if (!found) return null
  const [, hours = '0', minutes = '0', seconds = '0'] = found
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

/** `8m20s`, `1h2m3s`, `45s`: as people read it in an address. */
export function writeOffset(offset_s: number): string {
  const whole = Math.max(0, Math.floor(offset_s))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const first = parts.findIndex((part) => part > 0)
  if (first < 0) return '0s'
  return parts.map((part, index) => (index < first || part === 0 ? '' : `${part}${'hms'[index] ?? ''}`)).join('')
}

/** The address with the place in it, in place of any other. */
export function addressAt(address: string, offset_s: number): string {
  const url = new URL(address)
  url.searchParams.set('t', writeOffset(offset_s))
  return url.href
}
