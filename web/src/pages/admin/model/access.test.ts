import { describe, expect, it } from 'vitest'
import type { Me } from '$lib/login'
import { belongsHere, grantable, inScope, viewsOf } from './access'

const ORGANISER = [
  'session.change',
  'event.change',
  'schedule.import',
  'room.change',
  'venue.change',
  'grant.read',
  'recording.read',
  'recording.delete',
  'audit.read',
]

const me = (scope: Partial<Me> = {}): Me => ({
  grant: 'g',
  role: 'organiser',
  label: '',
  room: null,
  venue: null,
  event: null,
  session: null,
  rooms: [],
  actions: ORGANISER,
  ends: null,
  page: '/admin',
  ...scope,
})

describe('what is seen', () => {
  it('is everything for whoever holds the whole instance, and the same for a venue’s organiser', () => {
    expect(viewsOf(me())).toHaveLength(12)
    expect(viewsOf(me({ venue: 'v' }))).toEqual(viewsOf(me()))
  })

  it('has no rooms, venues, retention and count for an event’s organiser', () => {
    expect(viewsOf(me({ event: 'e' }))).toEqual([
      'sessions',
      'events',
      'imports',
      'grants',
      'recordings',
      'audit',
      'account',
    ])
  })

  it('has its room for a room’s organiser', () => {
    expect(viewsOf(me({ room: 'r' }))).toContain('rooms')
    expect(viewsOf(me({ room: 'r' }))).not.toContain('imports')
  })

  it('is not for those who do not plan', () => {
    expect(belongsHere(me())).toBe(true)
    expect(belongsHere(me({ role: 'technician', actions: ['publish', 'session.run', 'recording.read'] }))).toBe(false)
  })
})

describe('inScope', () => {
  it('compares what the grant names', () => {
    expect(inScope(me({ venue: 'v' }), { venue: 'v', room: 'r' })).toBe(true)
    expect(inScope(me({ venue: 'v' }), { venue: null, room: 'r' })).toBe(false)
    expect(inScope(me({ event: 'e' }), { event: 'f', venue: 'v' })).toBe(false)
    expect(inScope(me({ room: 'r' }), { room: 'r', venue: 'v' })).toBe(true)
    expect(inScope(me({ session: 's' }), { session: 't', room: 'r' })).toBe(false)
    expect(inScope(me(), { venue: null })).toBe(true)
  })
})

it('lets organisers hand out what is below them, and admins everything', () => {
  expect(grantable(me())).not.toContain('organiser')
  expect(grantable(me({ role: 'admin' }))).toContain('admin')
  expect(grantable(me())).toContain('publisher')
  expect(grantable(me({ role: 'technician' }))).toEqual(['publisher'])
  expect(grantable(me({ role: 'moderator' }))).toEqual([])
})
