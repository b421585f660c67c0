import { beforeEach, expect, it } from 'vitest'
import type { JsonObject } from '$lib/api/types'
import { readStatus, type RoomStatus } from '$lib/protocol/room'
import { RoomFeed } from './room-feed'
import type { LiveEvent } from './socket'

const session = (id: string, title: string, fields: object = {}) => ({
  id,
  room: 'turing',
  title,
  state: 'on_air',
  visibility: 'public',
  start: '2026-11-24T09:00:00Z',
  end: '2026-11-24T10:00:00Z',
  ...fields,
})
const broadcast = (fields: object = {}) => ({
  room: 'turing',
  state: 'live',
  word: 'on_air',
  reserved_until: null,
  hold: null,
  session: 'a',
  next: 'b',
  ...fields,
})
let seq = 0
const event = (type: string, data: JsonObject): LiveEvent => ({ seq: ++seq, type, at_ms: 0, mediaAt_ms: null, data })

let base: RoomStatus
let feed: RoomFeed

beforeEach(() => {
  base = readStatus({ id: 'turing', name: 'Salle Turing', venue: 'nantes', state: 'off' }, -2_000)!
  feed = new RoomFeed('turing')
  feed.snapshot({
    seq: 1,
    rooms: {
      turing: {
        room: 'turing',
        broadcast: broadcast(),
        session: session('a', 'Opening'),
        next: session('b', 'Keynote'),
      },
    },
  })
})

it('tells from a snapshot what the API would answer', () => {
  expect(feed.status(base)).toMatchObject({
    name: 'Salle Turing',
    venue: 'nantes',
    state: 'live',
    word: 'on_air',
    title: 'Opening',
    session: { id: 'a' },
    following: { id: 'b' },
    clockOffset_ms: -2_000,
  })
})

it('follows the next session, and its times, by events alone', () => {
  expect(
    feed.events([
      event('session.changed', session('b', 'Keynote', { shown_end: '2026-11-24T10:20:00Z' })),
      event('broadcast.changed', broadcast({ session: 'b', next: null })),
    ]),
  ).toBe(true)
  expect(feed.status(base)).toMatchObject({
    title: 'Keynote',
    session: { shownEnd_ms: Date.UTC(2026, 10, 24, 10, 20) },
    next: null,
    following: null,
  })
})

it('names nothing while the room is reserved', () => {
  feed.events([
    event(
      'broadcast.changed',
      broadcast({
        state: 'slate',
        word: 'reserved',
        session: null,
        next: null,
        reserved_until: '2026-11-24T11:00:00Z',
      }),
    ),
  ])
  expect(feed.status(base)).toMatchObject({
    title: null,
    word: 'reserved',
    reservedUntil_ms: Date.UTC(2026, 10, 24, 11),
  })
})

it('leaves it to the API where it was told of a session by its id only, or of nothing', () => {
  feed.events([event('broadcast.changed', broadcast({ session: 'c' }))])
  expect(feed.status(base)).toBeNull()
  feed.events([event('session.changed', session('c', 'Late'))])
  expect(feed.status(base)?.title).toBe('Late')
  feed.events([event('session.changed', { id: 'c', room: 'turing', removed: true })])
  expect(feed.status(base)).toBeNull()
  expect(new RoomFeed('turing').status(base)).toBeNull()
})

it('does not take another room’s events for its own', () => {
  expect(
    feed.events([
      event('broadcast.changed', { ...broadcast(), room: 'hall', state: 'off' }),
      event('presence', { n: 3 }),
    ]),
  ).toBe(false)
  expect(feed.status(base)?.state).toBe('live')
})

it('keeps what another room carries for this one, and asks where it is another one', () => {
  const elsewhere = { room: 'a', room_name: 'Salle A', session: session('both', 'Opening', { room: 'a' }) }
  const known = readStatus({ id: 'turing', name: 'T', state: 'off', elsewhere }, null)!
  const told = (id: string | null) => {
    feed.events([event('broadcast.changed', broadcast({ session: null, next: null, elsewhere: id }))])
    return feed.status(known)
  }
  expect(told('both')?.elsewhere).toMatchObject({ room: 'a', roomName: 'Salle A', session: { id: 'both' } })
  expect(told(null)?.elsewhere).toBeNull()
  expect(told('other')).toBeNull()
})
