/** For tests: sessions and rooms as the API gives them to the crew. */
import { readSession, type Session } from '$lib/protocol/day'
import { readCrewRoom, type CrewRoom } from './crew-room'

export const MINUTE_MS = 60_000
export const NINE_MS = Date.UTC(2026, 10, 24, 8, 0) // 9:00 in Paris
export const RUN = ['session.run', 'session.delay', 'session.cancel', 'session.answer']

export const at = (minutes: number) => new Date(NINE_MS + minutes * MINUTE_MS).toISOString()

/** A session's JSON as the API gives it to the crew; minutes after nine. */
export function body(
  id: string,
  from: number,
  to: number,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    id,
    room: 'turing',
    title: id.toUpperCase(),
    state: 'scheduled',
    kind: 'conference',
    visibility: 'public',
    start: at(from),
    end: at(to),
    shown_start: at(from),
    shown_end: at(to),
    key: '',
    live_url: '/live/turing/index.m3u8',
    record_answer: null,
    stream_answer: null,
    ...more,
  }
}

export function session(id: string, from: number, to: number, more: Record<string, unknown> = {}): Session {
  const read = readSession(body(id, from, to, more))
  if (!read) throw new Error('no session')
  return read
}

export const running = (id: string, from: number, to: number, started: number, more: Record<string, unknown> = {}) =>
  session(id, from, to, { state: 'on_air', started_at_ms: NINE_MS + started * MINUTE_MS, ...more })

export function room(more: Partial<CrewRoom> = {}): CrewRoom {
  const read = readCrewRoom({ state: 'slate', word: 'before', orders: { public: 'slate', record: true }, shows: {} })
  if (!read) throw new Error('no room')
  return { ...read, ...more }
}
