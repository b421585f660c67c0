/** A day on the home page: filters in the address, rooms, and each venue's grid of rooms and times. Pure. */
import { DEFAULT_ZONE, inTimeOrder, isRunning, roomsOf, type Session, type Venue } from '$lib/protocol/day'
import type { ListedRoom } from '$lib/protocol/rooms'
import { addDays, dayOf, startOfDay } from '$lib/time/times'

export interface Filters {
  venue: string | null
  language: string | null
  /** `2026-11-24`; null: today. */
  day: string | null
}

export function readFilters(search: string): Filters {
  const query = new URLSearchParams(search)
  const day = query.get('day')
  return {
    venue: query.get('venue') || null,
    language: query.get('language') || null,
    day: day !== null && startOfDay(day, 'UTC') !== null ? day : null,
  }
}

/** The address's query for these filters, `''` for none; what else stands in it stays. */
export function writeFilters(filters: Filters, search: string): string {
  const query = new URLSearchParams(search)
  for (const name of ['venue', 'language', 'day'] as const) {
    const value = filters[name]
    if (value === null) query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

/** `fr` of `fr-CA`: people choose a language, not a region. */
export const baseLanguage = (tag: string): string => tag.toLowerCase().split('-')[0] ?? ''

export function languagesOf(sessions: readonly Session[]): string[] {
  return [...new Set(sessions.map(({ language }) => baseLanguage(language)).filter((tag) => tag !== ''))].sort()
}

const speaks = (language: string | null, session: Session | null): boolean =>
  language === null || (session !== null && baseLanguage(session.language) === language)

/** With a language chosen, the rooms where it is spoken now or next. */
export function shownRooms(rooms: readonly ListedRoom[], { venue, language }: Filters): ListedRoom[] {
  return rooms.filter(
    (room) =>
      (venue === null || room.venue === venue) &&
      (language === null || speaks(language, room.session) || speaks(language, room.following)),
  )
}

/** The room whose next session begins first; null where none has one. */
export function nextOf(rooms: readonly ListedRoom[]): ListedRoom | null {
  const start = ({ following }: ListedRoom) => following?.shownStart_ms ?? Infinity
  return rooms.reduce<ListedRoom | null>(
    (first, room) => (start(room) < (first ? start(first) : Infinity) ? room : first),
    null,
  )
}

/** From when to when sessions are asked for so that the day is whole in every zone, UTC ms. */
export function windowOf(day: string, zones: readonly string[]): { from_ms: number; until_ms: number } {
  const known = zones.length > 0 ? zones : [DEFAULT_ZONE]
  const starts = known.map((zone) => startOfDay(day, zone) ?? 0)
  const ends = known.map((zone) => startOfDay(addDays(day, 1), zone) ?? 0)
  return { from_ms: Math.min(...starts), until_ms: Math.max(...ends) }
}

/** A room's column; sessions at the same time in one room stand side by side. */
export interface Column {
  /** Null: the venue's, for sessions without a room. */
  room: ListedRoom | null
  /** First grid column, from 1. */
  first: number
  slots: number
}

export interface Cell {
  session: Session
  column: Column
  /** Grid lines, from 1. */
  rowStart: number
  rowEnd: number
  slot: number
  /** The names of the session's rooms, where this is its first cell; empty in the columns of its other rooms. */
  rooms: string[]
}

export interface Row {
  start_ms: number
  end_ms: number
  /** Height that it has at least, in rem. */
  least_rem: number
}

/** One venue's day. */
export interface Grid {
  venue: Venue | null
  zone: string
  columns: Column[]
  width: number
  rows: Row[]
  cells: Cell[]
}

const REM_A_MINUTE = 0.09
const LEAST_REM = 1.75
const MOST_REM = 6
/** A time in which nothing is planned anywhere. */
const EMPTY_REM = 1.25

/**
 * The grids of a day, one for each venue that has something planned, in the venues' order; rooms without a venue come last.
 * Times are those that the audience is told.
 */
export function gridsOf(
  sessions: readonly Session[],
  rooms: readonly ListedRoom[],
  venues: readonly Venue[],
  filters: Filters,
  day: string,
): Grid[] {
  const places: (Venue | null)[] = [...venues, null]
  const grids: Grid[] = []
  for (const venue of places) {
    if (filters.venue !== null && venue?.id !== filters.venue) continue
    const zone = venue?.timezone ?? DEFAULT_ZONE
    const here = new Map(
      rooms
        .filter((room) => (venue ? room.venue === venue.id : !venues.some(({ id }) => id === room.venue)))
        .map((room) => [room.id, room]),
    )
    const planned = inTimeOrder(
      sessions.filter(
        (session) =>
          (roomsOf(session).some((room) => here.has(room)) || (session.room === '' && isAt(session, venue, venues))) &&
          speaks(filters.language, session) &&
          (dayOf(session.shownStart_ms, zone) === day ||
            (isRunning(session) && dayOf(session.shownEnd_ms, zone) === day)),
      ),
    )
    if (planned.length > 0) grids.push(gridOf(venue, zone, planned, here))
  }
  return grids
}

/** Whether a session without a room takes place there; `null` stands for no venue that is known. */
const isAt = (session: Session, venue: Venue | null, venues: readonly Venue[]): boolean =>
  venue ? session.venue === venue.id : !venues.some(({ id }) => id === session.venue)

function gridOf(
  venue: Venue | null,
  zone: string,
  planned: readonly Session[],
  rooms: ReadonlyMap<string, ListedRoom>,
): Grid {
  const lines = [...new Set(planned.flatMap((session) => [session.shownStart_ms, endOf(session)]))].sort(
    (a, b) => a - b,
  )
  const columns: Column[] = []
  const cells: Cell[] = []
  let first = 1
  for (const room of [null, ...rooms.values()]) {
    const inRoom = planned.filter((session) => (room ? roomsOf(session).includes(room.id) : session.room === ''))
    if (inRoom.length === 0) continue
    const column: Column = { room, first, slots: 1 }
    const free: number[] = []
    for (const session of inRoom) {
      let slot = free.findIndex((end_ms) => end_ms <= session.shownStart_ms)
      if (slot < 0) slot = free.length
      free[slot] = endOf(session)
      const rowStart = lines.indexOf(session.shownStart_ms) + 1
      const rowEnd = lines.indexOf(endOf(session)) + 1
      const names = roomsOf(session).flatMap((id) => rooms.get(id)?.name ?? [])
      const first = !cells.some((cell) => cell.session.id === session.id)
      cells.push({ session, column, rowStart, rowEnd, slot, rooms: first ? names : [] })
    }
    column.slots = free.length
    columns.push(column)
    first += column.slots
  }
  const rows = lines.slice(0, -1).map((start_ms, index): Row => {
    const end_ms = lines[index + 1] ?? start_ms
    const empty = !cells.some(({ rowStart, rowEnd }) => rowStart <= index + 1 && rowEnd > index + 1)
    const least_rem = empty
      ? EMPTY_REM
      : Math.min(MOST_REM, Math.max(LEAST_REM, ((end_ms - start_ms) / 60_000) * REM_A_MINUTE))
    return { start_ms, end_ms, least_rem }
  })
  const order = new Map(planned.map(({ id }, index) => [id, index]))
  cells.sort((a, b) => (order.get(a.session.id) ?? 0) - (order.get(b.session.id) ?? 0))
  return { venue, zone, columns, width: first - 1, rows, cells }
}

/** A session has to have a height. */
const endOf = ({ shownStart_ms, shownEnd_ms }: Session): number => Math.max(shownEnd_ms, shownStart_ms + 60_000)

/** Where now is in a grid: its row, from 1, and how far down in it (0 to 1); null outside. */
export function nowIn({ rows }: Pick<Grid, 'rows'>, now_ms: number): { row: number; share: number } | null {
  const index = rows.findIndex(({ start_ms, end_ms }) => start_ms <= now_ms && now_ms < end_ms)
  const row = rows[index]
  return row ? { row: index + 1, share: (now_ms - row.start_ms) / (row.end_ms - row.start_ms) } : null
}
