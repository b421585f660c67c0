import { describe, expect, it } from 'vitest'
import { EACH_ROOM, encoderOf, grantBodies, grantForm, readCard, readGrant, stateOf } from './grants'
import { accepted, chosenAtFirst, readFollowed, readPreview, tally, valueText } from './imports'
import { outlook, readYear } from './records'

const item = (key: string, more: object = {}) => ({
  key,
  title: key,
  room: 'a',
  room_name: 'A',
  start: '2026-11-24T09:00:00+01:00',
  session: null,
  needs_yes: false,
  blocked: false,
  consequences: [],
  changes: {},
  ...more,
})
const PREVIEW = {
  id: 'i',
  event: 'e',
  event_name: 'E',
  event_is_new: true,
  venue: null,
  sessions: 4,
  rooms: 1,
  new_rooms: ['New'],
  rooms_unknown: [],
  difference: {
    added: [item('new:1')],
    moved: [
      item('m', {
        needs_yes: true,
        consequences: [{ code: 'on_air', message: 'It is on air.', blocks: false }],
        changes: { start: ['x', 'y'] },
      }),
    ],
    changed: [item('c', { blocked: true, needs_yes: true })],
    cancelled: [item('k'), { nothing: 1 }],
    unchanged: 7,
  },
  warnings: [{ code: 'odd', message: 'Odd.', item: 'x' }],
}

describe('an import', () => {
  it('is read with the gravest first, and chooses what hurts nobody', () => {
    const preview = readPreview(PREVIEW)
    expect(preview?.items.map(({ key }) => key)).toEqual(['k', 'm', 'c', 'new:1'])
    expect(preview?.items[1]?.changes).toEqual([{ field: 'start', old: 'x', new: 'y' }])
    const chosen = chosenAtFirst(preview?.items ?? [])
    expect([...chosen]).toEqual(['k', 'new:1'])
    expect(tally(preview?.items ?? [], chosen).map(({ group, chosen, open }) => [group, chosen, open])).toEqual([
      ['cancelled', 1, 1],
      ['moved', 0, 1],
      ['changed', 0, 0],
      ['added', 1, 1],
    ])
  })

  it('never asks for what is blocked', () => {
    const items = readPreview(PREVIEW)?.items ?? []
    expect(accepted(items, new Set(['m', 'c', 'gone']))).toEqual(['m'])
  })

  it('is none without an id and a difference', () => {
    expect(readPreview({ id: 'i' })).toBeNull()
    expect(readFollowed({ event: 'jdl' })).toBeNull()
    expect(
      readFollowed({
        event: 'jdl',
        event_name: 'Journées',
        url: 'https://example.test/s.xml',
        every_s: 300,
        polled: '2026-11-24T09:00:00Z',
        error: 'It answers with status 500.',
        followed_by: 'Ana',
        stopped: 'ended',
        waiting: [{ key: 'k', title: 'One', needs_yes: true }, {}],
      }),
    ).toMatchObject({
      eventName: 'Journées',
      polled_ms: Date.UTC(2026, 10, 24, 9),
      error: 'It answers with status 500.',
      followedBy: 'Ana',
      stopped: 'ended',
      waiting: [{ key: 'k', needsYes: true }],
    })
    expect(readPreview([])).toBeNull()
  })

  it('writes values', () => {
    expect([valueText(null), valueText([]), valueText(['a', 'b']), valueText(false)]).toEqual([
      '–',
      '–',
      'a, b',
      'false',
    ])
  })
})

describe('grants', () => {
  const body = {
    id: 'g',
    role: 'speaker',
    label: 'Ana',
    room: null,
    session: 's',
    expires: null,
    ends: '2026-11-24T10:00:00Z',
    not_before: '2026-11-24T08:00:00Z',
    in_force: true,
  }
  it('are to come, in force and over', () => {
    const grant = readGrant(body)
    if (!grant) throw new Error('no grant')
    expect(grant.scope).toEqual({ kind: 'session', id: 's' })
    const at = (text: string) => stateOf(grant, Date.parse(text))
    expect([at('2026-11-24T07:59:59Z'), at('2026-11-24T08:00:00Z'), at('2026-11-24T10:00:00Z')]).toEqual([
      'to_come',
      'in_force',
      'over',
    ])
    expect(readGrant({ ...body, role: '' })).toBeNull()
  })

  it('come as cards with their link once', () => {
    expect(readCard({ ...body, link: 'http://x/#token=t', qr: 'data:image/svg+xml;base64,AA' })).toMatchObject({
      link: 'http://x/#token=t',
      qr: 'data:image/svg+xml;base64,AA',
    })
    expect(readCard({ ...body, link: 'http://x', qr: 'https://elsewhere/pixel' })?.qr).toBe('')
    expect(readCard(body)).toBeNull()
  })

  it('of an encoder is the address and the token that it asks for', () => {
    const told = {
      id: 'g',
      role: 'publisher',
      room: 'b12',
      link: 'https://tv.example/studio/b12#token=g.s',
      token: 'g.s',
    }
    const card = readCard(told)
    expect(card && encoderOf(card)).toEqual({ server: 'https://tv.example/whip/b12', token: 'g.s' })
    const wide = readCard({ ...told, room: null, venue: 'v' })
    expect(wide && encoderOf(wide)?.server).toBe('https://tv.example/whip/{room}')
    const person = readCard({ ...told, role: 'technician' })
    expect(person && encoderOf(person)).toBeNull()
  })

  it('are asked for one by one, or for each room', () => {
    const rooms = [
      { id: 'a', name: 'A' },
      { id: 'b', name: 'B' },
    ]
    const zone = 'Europe/Paris'
    const common = { role: 'technician', not_before: null, expires: '2026-11-24T18:00:00.000Z' }
    const form = { ...grantForm(), expires: '2026-11-24T19:00' }
    expect(grantBodies({ ...form, room: EACH_ROOM }, rooms, zone)).toEqual([
      { ...common, label: 'A', room: 'a' },
      { ...common, label: 'B', room: 'b' },
    ])
    expect(grantBodies({ ...form, scope: 'whole', label: 'L' }, rooms, zone)).toEqual([{ ...common, label: 'L' }])
    expect(grantBodies({ ...form, scope: 'event', event: 'e' }, rooms, zone)).toEqual([
      { ...common, label: '', event: 'e' },
    ])
  })
})

describe('records', () => {
  it('look ahead by the share of the year that is over', () => {
    expect(
      readYear({ name: 'V', count: 100, wanted: 200, kinds: { conference: 60 }, events: 2, hours: 1.5 }),
    ).toMatchObject({ venue: null, kinds: [['conference', 60]] })
    expect(outlook({ count: 100 }, 2026, Date.UTC(2026, 6, 2, 12))).toBe(200)
    expect(outlook({ count: 3 }, 2026, Date.UTC(2026, 0, 10))).toBeNull()
    expect(outlook({ count: 150 }, 2025, Date.UTC(2026, 6, 2))).toBe(150)
  })
})
