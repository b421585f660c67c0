import { en, t } from '../locales/talk'
import type { Refusal } from './outbox.svelte'

type Key = keyof typeof en
type NoKey = Extract<Key, `no.${string}`>

/** The time until a moment, for people; '' where it has come. */
export function waitText(until_ms: number | null, now_ms: number): string {
  if (until_ms === null || until_ms <= now_ms) return ''
  const seconds = Math.ceil((until_ms - now_ms) / 1000)
  return seconds > 90 ? t('waitMinutes', { count: Math.ceil(seconds / 60) }) : t('wait', { count: seconds })
}

/** Why something was not taken, and when to come again. */
export function refusalText(refusal: Refusal, now_ms: number): string {
  const reason =
    refusal.code === 'too_long' && refusal.most !== null ? t('no.too_longBy', { count: refusal.most }) : told(refusal)
  return [reason, waitText(refusal.until_ms, now_ms)].filter(Boolean).join(' ')
}

function told({ code }: Refusal): string {
  const key = `no.${code}`
  return t((Object.hasOwn(en, key) ? key : 'no.other') as Exclude<NoKey, 'no.too_longBy'>)
}
