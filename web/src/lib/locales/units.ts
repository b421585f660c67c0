import { type Translation, translator } from '$lib/i18n'

/** Times with their units. */
export const en = {
  s: '{count} s',
  min: '{count} min',
  h: '{count} h',
  h_min: '{hours} h {minutes} min',
} as const

export const fr: Translation<typeof en> = {
  s: '{count} s',
  min: '{count} min',
  h: '{count} h',
  h_min: '{hours} h {minutes}',
}

export const t = translator({ en, fr })

/** `45 min`, `2 h`, `12 h 05 min`. */
export function lengthText(minutes: number): string {
  const whole = Math.max(0, Math.round(minutes))
  const hours = Math.floor(whole / 60)
  if (hours === 0) return t('min', { count: whole })
  const rest = whole % 60
  return rest === 0 ? t('h', { count: hours }) : t('h_min', { hours, minutes: String(rest).padStart(2, '0') })
}
