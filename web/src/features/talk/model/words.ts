import { t as units } from '$lib/locales/units'
import { en, t } from '../locales/talk'
import type { Refusal } from './outbox.svelte'

type Key = keyof typeof en
type NoKey = Extract<Key, `no.${string}`>

/** The time until a moment; null where it has come. */
function waitOf(until_ms: number | null, now_ms: number): { count: number; unit: 'second' | 'minute' } | null {
  if (until_ms === null || until_ms <= now_ms) return null
  const seconds = Math.ceil((until_ms - now_ms) / 1000)
  return seconds > 90 ? { count: Math.ceil(seconds / 60), unit: 'minute' } : { count: seconds, unit: 'second' }
}

/** When to come again, as a sentence. */
export function waitText(until_ms: number | null, now_ms: number): string {
  const wait = waitOf(until_ms, now_ms)
  return wait ? t(wait.unit === 'minute' ? 'waitMinutes' : 'wait', { count: wait.count }) : ''
}

/** The same on a button: `45 s`. */
export function shortWait(until_ms: number | null, now_ms: number): string {
  const wait = waitOf(until_ms, now_ms)
  return wait ? units(wait.unit === 'minute' ? 'min' : 's', { count: wait.count }) : ''
}

/** Why something was not taken, and when to come again. */
export function refusalText(refusal: Refusal, now_ms: number): string {
  return [reasonText(refusal), waitText(refusal.until_ms, now_ms)].filter(Boolean).join(' ')
}

export function reasonText({ code, most }: Refusal): string {
  if (code === 'too_long' && most !== null) return t('no.too_longBy', { count: most })
  const key = `no.${code}`
  return t((Object.hasOwn(en, key) ? key : 'no.other') as Exclude<NoKey, 'no.too_longBy'>)
}
