/** A day's sessions as a grid: a column for each room, minutes downwards, side by side where sessions overlap. Pure. */
import { roomsOf, type Session } from '$lib/protocol/day'
import { minuteOfDay } from './when'

export interface Block<S> {
  session: S
  /** Minutes since the grid's first. */
  top: number
  height: number
  slot: number
  slots: number
}

export interface DayGrid<S> {
  /** Minutes of the day, whole hours. */
  from: number
  until: number
  columns: { room: string; blocks: Block<S>[] }[]
}

const DAY = 24 * 60
/** A shorter session is drawn as long as this, so that a line of it can be read. */
const LEAST = 15
const USUAL = { from: 9 * 60, until: 18 * 60 }

type Timed = Pick<Session, 'id' | 'room' | 'alsoIn' | 'start_ms' | 'end_ms'>

/**
 * @param rooms ids; '' for what takes place in none
 * @param dayStart_ms when the day begins in the zone: what began before is drawn from there
 */
export function dayGrid<S extends Timed>(
  sessions: readonly S[],
  rooms: readonly string[],
  dayStart_ms: number,
  zone: string,
): DayGrid<S> {
  const placed = sessions.map((session) => {
    const top = session.start_ms < dayStart_ms ? 0 : minuteOfDay(session.start_ms, zone)
    const length = Math.round((session.end_ms - Math.max(session.start_ms, dayStart_ms)) / 60_000)
    return { session, top, bottom: Math.min(DAY, Math.max(top + length, top + LEAST)) }
  })
  const earliest = Math.min(USUAL.from, ...placed.map(({ top }) => top))
  const latest = Math.max(USUAL.until, ...placed.map(({ bottom }) => bottom))
  const from = Math.floor(earliest / 60) * 60
  const until = Math.min(DAY, Math.ceil(latest / 60) * 60)
  const columns = rooms.map((room) => ({
    room,
    blocks: sideBySide(
      placed.filter(({ session }) => (room === '' ? session.room === '' : roomsOf(session).includes(room))),
    ),
  }))
  for (const { blocks } of columns) for (const block of blocks) block.top -= from
  return { from, until, columns }
}

/** Beside each other where they overlap; a group of overlapping ones shares the width. */
function sideBySide<S extends Timed>(placed: { session: S; top: number; bottom: number }[]): Block<S>[] {
  const sorted = [...placed].sort(
    (a, b) => a.top - b.top || b.bottom - a.bottom || (a.session.id < b.session.id ? -1 : 1),
  )
  const blocks: Block<S>[] = []
  let group: Block<S>[] = []
  let ends: number[] = []
  const close = () => {
    for (const block of group) block.slots = ends.length
    group = []
    ends = []
  }
  for (const { session, top, bottom } of sorted) {
    if (ends.every((end) => end <= top)) close()
    const free = ends.findIndex((end) => end <= top)
    const slot = free < 0 ? ends.length : free
    ends[slot] = bottom
    const block = { session, top, height: bottom - top, slot, slots: 1 }
    group.push(block)
    blocks.push(block)
  }
  close()
  return blocks
}
