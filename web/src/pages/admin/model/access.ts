/** The rights on this page, by role and scope. The server decides again with every request. Pure. */
import type { Me } from '$lib/login'
import type { View } from './route'

export type Scope = Pick<Me, 'room' | 'venue' | 'event' | 'session'>

/** Whether the role has an action at all. */
export const may = (me: Pick<Me, 'actions'>, action: string): boolean => me.actions.includes(action)

export const isWhole = (me: Scope): boolean =>
  me.room === null && me.venue === null && me.event === null && me.session === null

/** Whether this page is for them: those who plan. Others have pages of their own. */
export const belongsHere = (me: Pick<Me, 'actions'>): boolean => may(me, 'session.change')

/** The views that have something for them, in the order of the menu. */
export function viewsOf(me: Me): View[] {
  const whole = isWhole(me)
  const ofVenue = whole || me.venue !== null
  const ofEvent = ofVenue || me.event !== null
  const seen: Record<View, boolean> = {
    sessions: true,
    events: ofEvent && may(me, 'event.change'),
    imports: ofEvent && may(me, 'schedule.import'),
    templates: ofVenue && may(me, 'venue.change'),
    rooms: (ofVenue || me.room !== null) && may(me, 'room.change'),
    venues: ofVenue && may(me, 'venue.change'),
    grants: may(me, 'grant.read'),
    recordings: may(me, 'recording.read'),
    retention: ofVenue && may(me, 'recording.delete'),
    count: ofVenue && may(me, 'audit.read'),
    audit: may(me, 'audit.read'),
    account: true,
  }
  return (Object.keys(seen) as View[]).filter((view) => seen[view])
}

/** Whether a room, an event or a session lies in their scope, as far as lists are filtered by it here. */
export function inScope(
  me: Scope,
  thing: { venue?: string | null; room?: string; event?: string | null; session?: string },
): boolean {
  if (me.room !== null) return thing.room === me.room
  if (me.venue !== null) return thing.venue === me.venue
  if (me.session !== null) return thing.session === me.session
  if (me.event !== null) return thing.event === me.event
  return true
}

/** Roles that they may hand out (`GRANTABLE` of `streamer/conference/grants.py`). */
export function grantable(me: Pick<Me, 'role'>): readonly Me['role'][] {
  const all: Me['role'][] = ['technician', 'publisher', 'moderator', 'speaker', 'captioner', 'viewer']
  if (me.role === 'admin') return [...all, 'organiser', 'admin']
  if (me.role === 'technician') return ['publisher']
  return me.role === 'organiser' ? all : []
}
