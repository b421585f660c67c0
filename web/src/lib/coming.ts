import { t } from '$lib/locales/day'

const NOW_MS = 2 * 60_000

/** Words for the session that comes: it is next, or its time has come and nobody has started it yet. */
export function comingAt(start_ms: number, now_ms: number, time: string): string {
  if (now_ms < start_ms) return t('nextAt', { time })
  return t(now_ms < start_ms + NOW_MS ? 'dueNow' : 'due', { time })
}
