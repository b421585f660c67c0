import { describe, expect, it } from 'vitest'
import { readSession } from '$lib/protocol/day'
import {
  eventBody,
  eventForm,
  readAdminEvent,
  readRoom,
  roomBody,
  roomForm,
  slugOf,
  venueBody,
  venueForm,
} from './places'
import { besides, filtered, movedEnd, sessionBody, sessionForm } from './plan'

const PARIS = 'Europe/Paris'
const PROPOSAL = { room: 'a', event: '', start_ms: null }
const session = (more: object = {}) => {
  const read = readSession({
    id: 's',
    room: 'a',
    title: 'La médiation',
    state: 'scheduled',
    start: '2026-11-24T09:00:00+01:00',
    end: '2026-11-24T09:45:00+01:00',
    visibility: 'public',
    speakers: ['Zoé Ünal'],
    portraits: {},
    ...more,
  })
  if (!read) throw new Error('no session')
  return read
}

describe('rooms', () => {
  it('are read as their crew sees them, and as everybody does', () => {
    const crew = readRoom({
      id: 'a',
      name: 'A',
      start: 'auto',
      between: 'open',
      state: 'live',
      aliases: ['B'],
      retention_days: 3,
      caption_languages: ['fr', 'br'],
      alarms: [{ id: 'x', code: 'c', since: '2026-01-01T00:00:00Z' }],
    })
    expect(crew).toMatchObject({ start: 'auto', between: 'open', state: 'live', aliases: ['B'], retentionDays: 3 })
    expect(crew?.alarms).toHaveLength(1)
    expect(roomForm(crew).caption_languages).toBe('fr\nbr')
    expect(readRoom({ id: 'a', between: 'new', state: 'new' })).toMatchObject({
      name: 'a',
      between: 'new',
      state: 'off',
      retentionDays: null,
      aliases: [],
    })
    expect(readRoom({})).toBeNull()
  })

  it('send what was changed only, null for what was emptied', () => {
    expect(roomBody({ venue: '', retention_days: '', aliases: ' X \n\nY' })).toEqual({
      venue: null,
      retention_days: null,
      aliases: ['X', 'Y'],
    })
    expect(roomBody({ retention_days: '30' })).toEqual({ retention_days: 30 })
    expect(roomBody({ caption_languages: 'fr\npt-BR' })).toEqual({ caption_languages: ['fr', 'pt-BR'] })
    expect(roomBody({ caption_languages: '' })).toEqual({ caption_languages: [] })
    expect(roomBody({ levelling: 'on' })).toEqual({ levelling: true })
    expect(roomBody({ retention_days: 'x' })).toEqual({ retention_days: 'x' })
    expect(roomForm(null, 'v')).toMatchObject({ venue: 'v', start: 'tap' })
  })
})

it('makes an event’s form and body', () => {
  const event = readAdminEvent({
    id: 'e',
    name: 'E',
    start: '2026-11-24T08:00:00Z',
    end: null,
    source_url: 'https://x/s.xml',
  })
  expect(eventForm(event, PARIS)).toMatchObject({ start: '2026-11-24T09:00', end: '', source_url: 'https://x/s.xml' })
  expect(eventBody({ id: '', start: '2026-11-24T10:00', end: '' }, PARIS)).toEqual({
    start: '2026-11-24T09:00:00.000Z',
    end: null,
  })
})

it('makes a venue’s body', () => {
  expect(venueBody({ ...venueForm(null), name: 'V', logos: '/logos/a.png\n' })).toEqual({
    name: 'V',
    timezone: 'Europe/Paris',
    language: 'fr',
    logos: ['/logos/a.png'],
    ...{ colour: '', typeface: '', logo: '', cover: '' },
  })
})

it.each([
  ['Amphithéâtre Turing', 'amphitheatre-turing'],
  ['  Salle n° 3 – « l’Œuvre » ', 'salle-n-3-l-oeuvre'],
  ['日本', ''],
])('proposes an id for %s', (name, id) => expect(slugOf(name)).toBe(id))

describe('sessions', () => {
  it('are proposed for an hour from the next quarter, or where somebody pointed', () => {
    const now = Date.parse('2026-11-24T08:05:00Z')
    expect(sessionForm(null, PARIS, PROPOSAL, now)).toMatchObject({
      start: '2026-11-24T09:15',
      end: '2026-11-24T10:15',
      visibility: '',
    })
    expect(sessionForm(null, PARIS, { ...PROPOSAL, start_ms: now }, now).start).toBe('2026-11-24T09:05')
  })

  it('leave to the kind what nobody has said', () => {
    const body = sessionBody(
      { ...sessionForm(null, PARIS, PROPOSAL, 0), title: 'T', visibility: 'private', tags: 'a, b,,' },
      PARIS,
      'a',
    )
    expect(body).toMatchObject({ visibility: 'private', tags: ['a', 'b'], event: null, capacity: null })
    expect(Object.keys(body)).not.toContain('replay')
  })

  it('put a session in a room, in several, or in none', () => {
    const form = { ...sessionForm(null, PARIS, PROPOSAL, 0), title: 'T' }
    expect(sessionBody({ ...form, also_in: 'b\nc' }, PARIS, 'a')).toMatchObject({ room: 'a', also_in: ['b', 'c'] })
    const nowhere = sessionBody({ ...form, room: '', also_in: 'b', venue: 'v' }, PARIS, '')
    expect(nowhere).toMatchObject({ room: null, venue: 'v' })
    expect(nowhere).not.toHaveProperty('also_in')
    expect(sessionBody({ title: 'U' }, PARIS, '')).toEqual({ title: 'U' })
    expect(sessionBody({ venue: 'w' }, PARIS, 'a')).toEqual({})
    expect(besides('b\nc', 'a', 'b')).toBe('a\nc')
    expect(besides('b', 'a', 'd')).toBe('b')
    expect(besides('b', 'a', '')).toBe('')
  })

  it('send what was changed only', () => {
    expect(sessionBody({ speakers: 'Ana\nBob' }, PARIS, 'a')).toEqual({ speakers: ['Ana', 'Bob'] })
    expect(sessionForm(session(), PARIS, PROPOSAL, 0)).toMatchObject({
      title: 'La médiation',
      start: '2026-11-24T09:00',
      speakers: 'Zoé Ünal',
    })
  })

  it('keep their length when they are moved', () => {
    const before = { start: '2026-11-24T09:00', end: '2026-11-24T09:45' }
    expect(movedEnd(before, '2026-11-25T14:00', PARIS)).toBe('2026-11-25T14:45')
    expect(movedEnd(before, '', PARIS)).toBe('2026-11-24T09:45')
    expect(movedEnd({ ...before, end: '2026-11-24T08:00' }, '2026-11-25T14:00', PARIS)).toBe('2026-11-24T08:00')
  })

  it('are found whatever the accents', () => {
    const none = { room: '', event: '', language: '', state: '', text: '' }
    expect(filtered([session()], { ...none, text: 'MEDIATION' })).toHaveLength(1)
    expect(filtered([session()], { ...none, text: 'unal' })).toHaveLength(1)
    expect(filtered([session()], { ...none, text: 'nothing' })).toHaveLength(0)
    expect(filtered([session()], { ...none, room: 'b' })).toHaveLength(0)
    expect(filtered([session({ state: 'ended' })], { ...none, state: 'ended' })).toHaveLength(1)
  })
})
