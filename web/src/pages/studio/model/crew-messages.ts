/** The crew's private line of one room or of many: what is new to this browser, and how far it has been read. Pure. */

import type { LiveEvent } from '$lib/live/socket'
import { isRecord, listOf, readText } from '$lib/api/read'
import { type CrewMessage, readCrewMessage } from '$features/talk/model/crew-messages'

/** Messages older than this are no news at the first look. */
export const FIRST_LOOK_MS = 4 * 3600_000
const MOST = 200

export type MarkStore = Pick<Storage, 'getItem' | 'setItem'>

/** Where the studio's pages of one browser keep how far a room's line has been read. */
export const markKey = (room: string): string => `streamer.studio.line.${room}`

/** UTC ms of the last line that was read; null: none yet. */
export function readMark(store: MarkStore, room: string): number | null {
  try {
    const kept = Number(store.getItem(markKey(room)))
    return Number.isFinite(kept) && kept > 0 ? kept : null
  } catch {
    return null
  }
}

export function keepMark(store: MarkStore, room: string, at_ms: number): void {
  try {
    store.setItem(markKey(room), String(at_ms))
  } catch {
    // Kept for this page's life only.
  }
}

/** With a line told of: put in its place, changed, or taken away. */
export function withCrewMessage(lines: readonly CrewMessage[], data: unknown): readonly CrewMessage[] {
  if (!isRecord(data)) return lines
  const id = readText(data['id'])
  const line = readCrewMessage(data)
  const others = lines.filter((one) => one.id !== id)
  if (line === null) return data['removed'] === true ? others : lines
  return [...others, line].sort((a, b) => a.at_ms - b.at_ms).slice(-MOST)
}

/** Those after the mark that are not one's own. */
export function unreadOf(
  lines: readonly CrewMessage[],
  mark_ms: number | null,
  now_ms: number,
  own: ReadonlyMap<string, unknown> = new Map(),
): readonly CrewMessage[] {
  const from_ms = mark_ms ?? now_ms - FIRST_LOOK_MS
  return lines.filter(({ id, at_ms }) => at_ms > from_ms && !own.has(id))
}

/** Rooms' lines as the page of all rooms keeps them. */
export type RoomCrewMessages = ReadonlyMap<string, readonly CrewMessage[]>

/** From a snapshot's `lines`, each with its `room`. */
export function readRoomCrewMessages(told: unknown): RoomCrewMessages {
  const rooms = new Map<string, readonly CrewMessage[]>()
  for (const data of listOf((one) => (isRecord(one) ? one : null))(told)) {
    const room = readText(data['room'])
    if (room !== '') rooms.set(room, withCrewMessage(rooms.get(room) ?? [], data))
  }
  return rooms
}

/** After some events; `fresh` are rooms in which something was said that had not been known. */
export function afterEvents(
  rooms: RoomCrewMessages,
  events: readonly LiveEvent[],
): { rooms: RoomCrewMessages; fresh: string[] } {
  let now = rooms
  const fresh: string[] = []
  for (const { type, data } of events) {
    const room = type === 'crew.line' ? readText(data['room']) : ''
    if (room === '') continue
    const before = now.get(room) ?? []
    const after = withCrewMessage(before, data)
    if (after.length > before.length) fresh.push(room)
    now = new Map(now).set(room, after)
  }
  return { rooms: now, fresh }
}
