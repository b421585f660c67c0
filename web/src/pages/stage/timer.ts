import { isRunning, type Session } from '$lib/protocol/day'

export const SOON_MS = 5 * 60_000

export interface Timer {
  /** `over`: the time is up. */
  tone: 'calm' | 'soon' | 'over'
  /** To the end as planned now, extensions included; negative once it is over. */
  left_ms: number
  /** The share of the session's time that is gone, 0 to 1. */
  gone: number
  end_ms: number
}

/** The time that a session has yet; null where it is not on air. */
export function timerOf(session: Session | null, now_ms: number): Timer | null {
  if (!session || !isRunning(session)) return null
  const end_ms = session.expectedEnd_ms
  const left_ms = end_ms - now_ms
  const whole_ms = end_ms - (session.started_ms ?? session.start_ms)
  const gone = whole_ms > 0 ? Math.min(1, Math.max(0, 1 - left_ms / whole_ms)) : 1
  return { tone: left_ms <= 0 ? 'over' : left_ms <= SOON_MS ? 'soon' : 'calm', left_ms, gone, end_ms }
}

/** Whole minutes to go, as people say them: with 12:01 left it ends in 13 minutes. */
export const minutesLeft = (left_ms: number): number => Math.max(0, Math.ceil(left_ms / 60_000))

/** `4:07`, `1:02:03`; what is left is rounded up and what is over down, so that 0:00 is the moment itself. */
export function clockText(left_ms: number): string {
  const total = left_ms >= 0 ? Math.ceil(left_ms / 1000) : Math.floor(-left_ms / 1000)
  const seconds = String(total % 60).padStart(2, '0')
  const minutes = Math.floor(total / 60) % 60
  const hours = Math.floor(total / 3600)
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`
}
