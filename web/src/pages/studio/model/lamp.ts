/** The room's one big state, and whether it is being recorded. What is seen to go out outranks what was ordered. Pure. */

import { isClosed } from '$lib/protocol/day'
import type { CrewRoom } from './crew-room'

export type Lamp =
  /** Nothing comes in, nobody sees anything. */
  | 'standby'
  /** Picture and sound are here; only the crew has them. */
  | 'preview'
  /** On air, something comes in, and viewers do not have it yet. */
  | 'starting'
  | 'on_air'
  /** Viewers see the picture without the sound, between two sessions. */
  | 'picture_only'
  /** On air, and nothing comes in: viewers see the slate. */
  | 'no_media'
  /** The technician's own slate. */
  | 'slate'
  | 'hold'
  /** A closed session is on; the public sees the slate. */
  | 'private'
  /** It is a closed session's time, and it has not begun. */
  | 'reserved'
  | 'not_streamed'

export type Rec =
  | 'recording'
  /** It would be recorded, if something came in. */
  | 'waiting'
  /** By order: nothing of it is written. */
  | 'not_recorded'
  /** It should be, and the disk does not take it. */
  | 'failing'
  /** Nothing that is to be recorded. */
  | 'idle'

/** After a start, the room may take so long until its first segment is out. */
export const STARTING_MS = 8_000
const FAILING = new Set(['disk_full', 'disk_error', 'recording_fails'])

export function lampOf(room: CrewRoom): Lamp {
  if (room.state === 'live') return room.shows['public'] === 'picture_muted' ? 'picture_only' : 'on_air'
  const running = room.session
  if (room.hold) return 'hold'
  if (running && isClosed(running)) return 'private'
  if (room.word === 'reserved') return 'reserved'
  if (room.word === 'not_streamed') return 'not_streamed'
  if (room.slate && (running || room.mediaUp)) return 'slate'
  if (running) {
    if (!room.mediaUp) return 'no_media'
    if (room.orders.public !== 'programme') return 'slate'
    return 'starting'
  }
  return room.mediaUp ? 'preview' : 'standby'
}

/** So far ahead a plan keeps a room from being free, as the director counts it. */
const PLANNED_AHEAD_MS = 12 * 3_600_000

/** Whether *Go on air now* is what is wanted: something comes in, nothing runs, and nothing is planned that it would be. */
export function mayGoOnAir(room: CrewRoom, now_ms: number): boolean {
  const planned = room.next !== null && room.next.start_ms - now_ms <= PLANNED_AHEAD_MS
  return lampOf(room) === 'preview' && !planned
}

/** Whether a closed session's own audience sees it now. */
export function seenByItsOwn(room: CrewRoom): boolean {
  return room.session !== null && room.shows[`~${room.session.id}`] === 'programme'
}

export function recOf(room: CrewRoom): Rec {
  const running = room.session
  if (!room.orders.record)
    return running || room.next?.state === 'armed' || room.word === 'reserved' ? 'not_recorded' : 'idle'
  if (!running) return 'idle'
  if (room.alarms.some(({ code }) => FAILING.has(code))) return 'failing'
  return room.mediaUp ? 'recording' : 'waiting'
}
