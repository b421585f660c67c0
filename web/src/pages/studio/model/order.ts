/** The running order of one room: which sessions are today's, how their clocks stand, and what may be tapped. Pure. */

import { isAhead, isRunning, type Session } from '$lib/protocol/day'
import { dayOf } from '$lib/time/times'

const MINUTE_MS = 60_000
/** A conference day ends at four in the morning. */
const DAY_ENDS_MS = 4 * 3600_000
const REOPEN_MS = 15 * MINUTE_MS
const LATE_TAP_MS = 30 * MINUTE_MS
/** A moment that lies less far back is as good as now. */
const WORDS_LEAST_MS = 10_000
/** The time in which somebody chooses a minute and presses. */
const CHOOSING_MS = 20_000
/** A start so early is probably of the wrong session, or in the wrong room. */
const EARLY_MS = 20 * MINUTE_MS

/** Of the venue's day, by planned start; whatever runs is always there. */
export function runningOrder(sessions: readonly Session[], now_ms: number, zone: string): Session[] {
  const day = (at_ms: number) => dayOf(at_ms - DAY_ENDS_MS, zone)
  const today = day(now_ms)
  return sessions
    .filter((session) => isRunning(session) || day(session.start_ms) === today)
    .sort((a, b) => a.start_ms - b.start_ms || a.end_ms - b.end_ms || a.id.localeCompare(b.id))
}

/** One session more, or as it is now. */
export function upsert(sessions: readonly Session[], changed: Session): Session[] {
  return sessions.some(({ id }) => id === changed.id)
    ? sessions.map((session) => (session.id === changed.id ? changed : session))
    : [...sessions, changed]
}

export interface SessionClock {
  elapsed_ms: number
  left_ms: number
  /** The time past its planned end; 0 before. */
  over_ms: number
  /** 0 to 1 of its time. */
  share: number
}

/** @param end_ms planned, extensions included */
export function clockOf(session: Session, end_ms: number, now_ms: number): SessionClock {
  const began_ms = session.started_ms ?? session.start_ms
  const elapsed_ms = Math.max(0, now_ms - began_ms)
  return {
    elapsed_ms,
    left_ms: Math.max(0, end_ms - now_ms),
    over_ms: Math.max(0, now_ms - end_ms),
    share: end_ms > began_ms ? Math.min(1, elapsed_ms / (end_ms - began_ms)) : 1,
  }
}

// --- moments that a late tap may mean -------------------------------------------------------------------------------

export interface Moment {
  id: 'now' | 'ago1' | 'ago3' | 'words' | 'stopped'
  /** A media time; null: when the server hears of it. */
  at_ms: number | null
}

interface StartFacts {
  now_ms: number
  /** The start mark cannot lie before this: another session had the room. */
  notBefore_ms: number
  firstWords_ms: number | null
}

export function startMoments({ now_ms, notBefore_ms, firstWords_ms }: StartFacts): Moment[] {
  const least_ms = Math.max(notBefore_ms, now_ms - LATE_TAP_MS)
  const moments: Moment[] = [{ id: 'now', at_ms: null }]
  for (const [id, minutes] of [
    ['ago1', 1],
    ['ago3', 3],
  ] as const) {
    if (now_ms - minutes * MINUTE_MS >= least_ms) moments.push({ id, at_ms: now_ms - minutes * MINUTE_MS })
  }
  if (firstWords_ms !== null && firstWords_ms >= least_ms && now_ms - firstWords_ms >= WORDS_LEAST_MS) {
    moments.push({ id: 'words', at_ms: firstWords_ms })
  }
  return moments
}

/** Whole minutes by the clock that a late tap may mean, the newest first: all within half an hour, after `least_ms`. */
export function minutesBack(now_ms: number, least_ms: number): number[] {
  const last_ms = Math.floor((now_ms - 1) / MINUTE_MS) * MINUTE_MS
  const found = Array.from({ length: LATE_TAP_MS / MINUTE_MS }, (_, index) => last_ms - index * MINUTE_MS)
  // Choosing takes a moment, and the server refuses times that lie further back.
  return found.filter((at_ms) => at_ms > least_ms && now_ms - at_ms <= LATE_TAP_MS - CHOOSING_MS)
}

interface EndFacts {
  now_ms: number
  started_ms: number | null
  mediaUp: boolean
  mediaStopped_ms: number | null
}

export function endMoments({ now_ms, started_ms, mediaUp, mediaStopped_ms }: EndFacts): Moment[] {
  const least_ms = Math.max(started_ms ?? 0, now_ms - LATE_TAP_MS)
  const moments: Moment[] = [{ id: 'now', at_ms: null }]
  for (const [id, minutes] of [
    ['ago1', 1],
    ['ago3', 3],
  ] as const) {
    if (now_ms - minutes * MINUTE_MS > least_ms) moments.push({ id, at_ms: now_ms - minutes * MINUTE_MS })
  }
  if (!mediaUp && mediaStopped_ms !== null && mediaStopped_ms > least_ms && mediaStopped_ms < now_ms) {
    moments.push({ id: 'stopped', at_ms: mediaStopped_ms })
  }
  return moments
}

/** Before this no start mark of `session` can lie: another has those minutes. */
export function notBefore(session: Session, sessions: readonly Session[]): number {
  let least_ms = 0
  for (const other of sessions) {
    if (other.id === session.id) continue
    if (isRunning(other)) least_ms = Math.max(least_ms, other.started_ms ?? 0)
    else if (other.ended_ms === null) continue
    // Begun by tapping the one before away: the two share a mark, and it moves for both.
    else if (session.started_ms !== null && other.ended_ms === session.started_ms)
      least_ms = Math.max(least_ms, other.started_ms ?? 0)
    else least_ms = Math.max(least_ms, other.ended_ms)
  }
  return least_ms
}

// --- taps -----------------------------------------------------------------------------------------------------------

export type SessionTap = 'start' | 'end' | 'extend' | 'mark' | 'delay' | 'cancel' | 'reopen'

const NEEDS: Record<SessionTap, string> = {
  start: 'session.run',
  end: 'session.run',
  extend: 'session.run',
  mark: 'session.run',
  delay: 'session.delay',
  cancel: 'session.cancel',
  reopen: 'session.run',
}

/** The taps that make sense for a session now and are allowed. The server decides; this keeps useless keys off the page. */
export function tapsOf(
  session: Session,
  sessions: readonly Session[],
  allowed: readonly string[],
  now_ms: number,
): SessionTap[] {
  const found: SessionTap[] = []
  if (isRunning(session)) found.push('end', 'extend', 'mark', 'delay')
  else if (isAhead(session)) {
    if (session.kind !== 'break') found.push('start')
    found.push('delay', 'cancel')
  } else if (session.state === 'cancelled') {
    if (session.started_ms === null && now_ms < session.end_ms) found.push('reopen')
  } else if (mayReopen(session, sessions, now_ms)) found.push('reopen')
  return found.filter((tap) => allowed.includes(NEEDS[tap]))
}

function mayReopen(session: Session, sessions: readonly Session[], now_ms: number): boolean {
  if (session.ended_ms === null || now_ms - session.ended_ms > REOPEN_MS) return false
  const since_ms = session.started_ms ?? 0
  return !sessions.some(
    (other) => other.id !== session.id && (isRunning(other) || (other.started_ms ?? -1) >= since_ms),
  )
}

/** Why starting this one should be asked about once; '' where it is what everybody expects. */
export type Doubt = '' | 'not_next' | 'early'

export function doubtAbout(session: Session, next: Session | null, now_ms: number): Doubt {
  if (next && next.id !== session.id) return 'not_next'
  return session.start_ms - now_ms > EARLY_MS ? 'early' : ''
}

/** Which of its two questions nobody has answered. */
export function questionsOf(session: Session): { record: boolean; stream: boolean } {
  return {
    record: session.doNotRecord === 'ask' && session.crew?.recordAnswer === null,
    stream: session.doNotStream === 'ask' && session.crew?.streamAnswer === null,
  }
}

/** When its questions should be put: from when it is armed. */
export const isAsking = (session: Session): boolean =>
  (session.state === 'armed' || isRunning(session)) && Object.values(questionsOf(session)).some(Boolean)

// --- flags ----------------------------------------------------------------------------------------------------------

export type SessionFlag =
  'private' | 'unlisted' | 'not_streamed' | 'not_recorded' | 'ask_stream' | 'ask_record' | 'no_replay' | 'review'

/** The session's limits that its crew must know: audience and recording, the strictest first. */
export function flagsOf(session: Session): SessionFlag[] {
  const flags: SessionFlag[] = []
  const { crew, visibility } = session
  if (visibility !== 'public') flags.push(visibility)
  // Breaks never go on air.
  if (session.kind === 'break') return flags
  if (session.doNotStream === 'yes' || (session.doNotStream === 'ask' && crew?.streamAnswer === false))
    flags.push('not_streamed')
  else if (session.doNotStream === 'ask' && crew?.streamAnswer !== true) flags.push('ask_stream')
  const unrecorded = session.doNotRecord === 'yes' || (session.doNotRecord === 'ask' && crew?.recordAnswer === false)
  if (unrecorded) flags.push('not_recorded')
  else if (session.doNotRecord === 'ask' && crew?.recordAnswer !== true) flags.push('ask_record')
  if (!unrecorded && session.replay === 'never') flags.push('no_replay')
  if (!unrecorded && session.replay === 'after_review') flags.push('review')
  return flags
}
