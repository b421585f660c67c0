/** Whether a link opens the studio of this room, and what it opens instead. Asked before any camera. Pure over `Api`. */

import type { Api } from '$lib/api/api'
import { readRecord, readTextOrNull } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { type Me, readMe } from '$lib/login'
import { readRoom, type RoomInfo } from './room'

/** The room and the rights as they were told at the entry, so that the page begins whole and nothing moves under a finger. */
export interface Entered {
  room: RoomInfo | null
  me: Me | null
}

export type Entry =
  | { kind: 'open'; told: Entered }
  /** The server knows no such link or login; with `early`, it is not in force at this time. */
  | { kind: 'refused'; early: boolean }
  /** It opens another room, by name where it is one; `page` is its own page. */
  | { kind: 'elsewhere'; name: string; page: string }
  /** It is of a role that has another page than this. */
  | { kind: 'other_role'; page: string }
  /** It is of a session, and reaches its room only about the session's time. */
  | { kind: 'not_now' }
  /** The server does not answer. */
  | { kind: 'unreachable' }

/**
 * @param me whose link it is
 * @param told the room as the link's holder is told it
 */
export function entryOf(me: Me, room: string, told: unknown): Entry {
  const seen = readRoom(told)
  const open: Entry = { kind: 'open', told: { room: seen, me } }
  if (seen?.crew) return open
  if (!me.actions.includes('publish')) return { kind: 'other_role', page: me.page }
  const whole = [me.room, me.venue, me.event, me.session].every((one) => one === null)
  const ofVenue = me.room === null && me.venue !== null && me.venue === readTextOrNull(readRecord(told)['venue'])
  // A link that may only publish is told of the room as much as the public is.
  if (whole || ofVenue || me.room === room || me.rooms.includes(room)) return open
  if (me.page.endsWith(`/${encodeURIComponent(room)}`)) return { kind: 'not_now' }
  return { kind: 'elsewhere', name: '', page: me.page }
}

export async function askEntry(api: Api, room: string): Promise<Entry> {
  const address = (id: string) => `/api/v1/rooms/${encodeURIComponent(id)}`
  const [me, told] = await Promise.all([api.get<Schema['MeView']>('/api/v1/me'), api.get(address(room))])
  if (!me.ok) {
    if (me.status === 401 || me.status === 403)
      return { kind: 'refused', early: me.error.code === 'grant_not_in_force' }
    return { kind: 'unreachable' }
  }
  // An older server tells no actions. That it told the crew's view is enough, as it always was.
  if (!me.data.actions) return { kind: 'open', told: { room: told.ok ? readRoom(told.data) : null, me: null } }
  // Of a room that is not there the page itself tells.
  if (!told.ok)
    return told.status === 404 ? { kind: 'open', told: { room: null, me: readMe(me.data) } } : { kind: 'unreachable' }
  const entry = entryOf(readMe(me.data), room, told.data)
  if (entry.kind !== 'elsewhere') return entry
  const id = /^\/studio\/([^/]+)$/.exec(entry.page)?.[1]
  if (!id) return entry
  const other = await api.get(address(decodeURIComponent(id)))
  const name = other.ok ? readTextOrNull(other.data['name']) : null
  return { ...entry, name: name ?? decodeURIComponent(id) }
}
