/** The choice of somebody whose link opens several rooms: the page of their role, rooms, closed sessions. */
import { getAll, getJson, moment } from '$lib/api'
import { type Me, readMe } from '$lib/login'
import { inTimeOrder, isAhead, isRunning, readSession, type Session } from '$lib/protocol/day'
import type { ListedRoom } from '$lib/protocol/rooms'

const PAGES = { captioner: 'caption', speaker: 'stage', viewer: 'watch' } as const
export type OwnRole = keyof typeof PAGES
/** Sessions that began earlier are over or on no list of what comes. */
const EARLIEST_MS = 12 * 3_600_000

export interface OwnPlaces {
  role: OwnRole
  rooms: readonly { room: ListedRoom; href: string }[]
  /** Closed sessions that the link opens, now and ahead. */
  sessions: readonly Session[]
}

/** The rooms that a grant reaches; null for a role that does not choose here. */
export function roomsOf(me: Me, rooms: readonly ListedRoom[]): Omit<OwnPlaces, 'sessions'> | null {
  const { role } = me
  if (me.page !== '/' || !(role in PAGES)) return null
  const own = role as OwnRole
  const named = me.event !== null || me.session !== null
  const reached = rooms.filter(({ id, venue }) =>
    named ? me.rooms.includes(id) : me.venue === null || venue === me.venue,
  )
  return {
    role: own,
    rooms: reached.map((room) => ({ room, href: `/${PAGES[own]}/${encodeURIComponent(room.id)}` })),
  }
}

export async function lookAtOwn(
  rooms: readonly ListedRoom[],
  now_ms: number,
  signal: AbortSignal,
): Promise<OwnPlaces | null> {
  // Null: logged out meanwhile.
  const told = await getJson('/me', signal).catch(() => null)
  const me = readMe(told)
  const found = told === null ? null : roomsOf(me, rooms)
  if (!found) return null
  if (found.role !== 'viewer') return { ...found, sessions: [] }
  const query = { from: moment(now_ms - EARLIEST_MS), ...(me.event && { event: me.event }) }
  const sessions = await getAll('sessions', query, readSession, signal)
  const closed = sessions.filter((one) => one.visibility !== 'public' && (isAhead(one) || isRunning(one)))
  return { ...found, sessions: inTimeOrder(closed).slice(0, 50) }
}
