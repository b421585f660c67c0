/** The places that somebody may put on hold. Pure. */

import type { Me } from '$lib/login'
import type { Venue } from '$lib/protocol/day'
import { t } from '../locales/day'
import type { RoomInfo } from './room'
import type { Scope } from './taps'

export interface HoldPlace {
  scope: Scope
  id: string
  text: string
  /** Of its viewers, where it is known; '' otherwise. */
  language: string
}

interface HoldFacts {
  me: Pick<Me, 'room' | 'venue' | 'event' | 'session'> | null
  room: { id: string; venue: string | null }
  venue: Venue | null
  /** Of the session that is on or next. */
  event: string | null
}

/** From a room's page: the room itself, and as far around it as the grant reaches. */
export function placesAround({ me, room, venue, event }: HoldFacts): HoldPlace[] {
  const language = venue?.language ?? ''
  const found: HoldPlace[] = [{ scope: 'room', id: room.id, text: t('hold.room'), language }]
  // A grant of a room, an event or a session does not reach the room's venue.
  const wide = me !== null && me.room === null && me.session === null
  if (wide && me.event === null && room.venue) {
    found.push({ scope: 'venue', id: room.venue, text: t('hold.venue', { name: venue?.name ?? room.venue }), language })
  }
  if (wide && event && (me.event === null || me.event === event)) {
    found.push({ scope: 'event', id: event, text: t('hold.event'), language })
  }
  return found
}

/** A house: all rooms of a venue, or of the event of whose crew somebody is. `held`: since when, if any of it is. */
export interface WidePlace extends HoldPlace {
  name: string
  held_ms: number | null
  message: string
}

/** From the page with all rooms: whole venues, or the event that the grant is for. */
export function widePlaces(
  me: Pick<Me, 'room' | 'venue' | 'event' | 'session'> | null,
  rooms: readonly RoomInfo[],
  venues: readonly Venue[],
): WidePlace[] {
  if (me === null || me.room !== null || me.session !== null) return []
  const crews = rooms.flatMap(({ crew }) => (crew ? [crew] : []))
  const heldIn = (of: typeof crews) => {
    const holds = of.flatMap(({ hold }) => (hold ? [hold] : [])).sort((a, b) => a.since_ms - b.since_ms)
    return { held_ms: holds[0]?.since_ms ?? null, message: holds.at(-1)?.message ?? '' }
  }
  if (me.event !== null) {
    const text = t('hold.event')
    return [{ scope: 'event', id: me.event, text, name: text, language: '', ...heldIn(crews) }]
  }
  const ids = [...new Set(crews.flatMap(({ venue }) => venue ?? []))]
  return ids
    .map((id): WidePlace => {
      const venue = venues.find((one) => one.id === id)
      const name = venue?.name ?? id
      const here = crews.filter((crew) => crew.venue === id)
      const text = t('hold.venue', { name })
      return { scope: 'venue', id, text, name, language: venue?.language ?? '', ...heldIn(here) }
    })
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }))
}
