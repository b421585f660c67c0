import { describe, expect, it } from 'vitest'
import { readVenue, type Venue } from '$lib/protocol/day'
import { readCrewRoom } from './crew-room'
import { widePlaces, placesAround } from './holds'
import type { RoomInfo } from './room'

const NOBODY = { room: null, venue: null, event: null, session: null }
const venue = (id: string, name: string, language = 'fr') =>
  readVenue({ id, name, language, timezone: 'Europe/Paris', logos: [] }) as Venue

function room(id: string, inVenue: string | null, hold: object | null = null): RoomInfo {
  const crew = readCrewRoom({ id, state: 'slate', venue: inVenue, orders: {}, alarms: [], hold })
  return { id, name: id, state: 'slate', sources: {}, onProgramme: null, crew }
}

describe('a hold for many rooms', () => {
  const rooms = [
    room('a', 'nantes'),
    room('b', 'nantes', { message: 'Alarme incendie', since: '2026-05-01T09:00:00Z', until: null }),
    room('c', 'brest'),
    room('d', null),
    { ...room('e', 'lyon'), crew: null },
  ]
  const venues = [venue('nantes', 'Nantes'), venue('brest', 'Brest', 'en')]

  it('is for each venue where somebody is of the crew, with what is said there', () => {
    expect(
      widePlaces(NOBODY, rooms, venues).map(({ id, held_ms, message }) => [id, held_ms !== null, message]),
    ).toEqual([
      ['brest', false, ''],
      ['nantes', true, 'Alarme incendie'],
    ])
    expect(widePlaces(NOBODY, rooms, venues)[0]).toMatchObject({ scope: 'venue', language: 'en', name: 'Brest' })
  })

  it('is for an event’s own crew that event, and for a room’s crew none', () => {
    expect(widePlaces({ ...NOBODY, event: 'conf' }, rooms, venues)).toMatchObject([{ scope: 'event', id: 'conf' }])
    expect(widePlaces({ ...NOBODY, room: 'a' }, rooms, venues)).toEqual([])
    expect(widePlaces({ ...NOBODY, session: 's' }, rooms, venues)).toEqual([])
    expect(widePlaces(null, rooms, venues)).toEqual([])
  })

  it('is offered beside the room’s own from its page', () => {
    const facts = { room: { id: 'a', venue: 'nantes' }, venue: venue('nantes', 'Nantes'), event: 'conf' }
    const scopes = (me: Parameters<typeof placesAround>[0]['me']) =>
      placesAround({ ...facts, me }).map(({ scope }) => scope)
    expect(scopes(NOBODY)).toEqual(['room', 'venue', 'event'])
    expect(scopes({ ...NOBODY, event: 'conf' })).toEqual(['room', 'event'])
    expect(scopes({ ...NOBODY, event: 'other' })).toEqual(['room'])
    expect(scopes({ ...NOBODY, room: 'a' })).toEqual(['room'])
    expect(scopes(null)).toEqual(['room'])
  })
})
