import { describe, expect, it } from 'vitest'
import { Api } from '$lib/api/api'
import type { Schema } from '$lib/api/types'
import { readMe } from '$lib/login'
import { askEntry, entryOf } from './entry'

const TECHNICIAN = { role: 'technician' as const, actions: ['publish' as const, 'room.air' as const] }
const me = (more: Partial<Schema['MeView']>) =>
  readMe({ grant: 'g', label: '', room: null, venue: null, event: null, session: null, rooms: [], ends: null, ...more })
const PUBLIC = { id: 'b', name: 'Salle B', venue: 'nantes', state: 'off' }
const CREW = { ...PUBLIC, orders: {} }

describe('a link at the studio’s door', () => {
  it('opens where the room tells its holder what the crew is told', () => {
    expect(entryOf(me({ ...TECHNICIAN, room: 'b', page: '/studio/b' }), 'b', CREW)).toMatchObject({
      kind: 'open',
      told: { room: { name: 'Salle B', crew: { state: 'off' } }, me: { page: '/studio/b' } },
    })
  })

  it('of another room is told at once, with the page that it opens', () => {
    const there = { kind: 'elsewhere', name: '', page: '/studio/a' }
    expect(entryOf(me({ ...TECHNICIAN, room: 'a', page: '/studio/a' }), 'b', PUBLIC)).toEqual(there)
    const lyon = me({ ...TECHNICIAN, venue: 'lyon', page: '/studio' })
    expect(entryOf(lyon, 'b', PUBLIC)).toEqual({ kind: 'elsewhere', name: '', page: '/studio' })
  })

  it('of another role leads to that role’s page', () => {
    const speaker = me({ role: 'speaker', actions: ['stage.read'], room: 'b', page: '/stage/b' })
    expect(entryOf(speaker, 'b', PUBLIC)).toEqual({ kind: 'other_role', page: '/stage/b' })
  })

  it('of a session in this room waits for the session’s time', () => {
    const early = me({ ...TECHNICIAN, session: 's', page: '/studio/b' })
    expect(entryOf(early, 'b', PUBLIC)).toEqual({ kind: 'not_now' })
    expect(entryOf({ ...early, rooms: ['b'] }, 'b', PUBLIC)).toMatchObject({
      kind: 'open',
      told: { room: { crew: null } },
    })
  })

  it('that may only publish opens its own room, of which it is told no more than anybody', () => {
    const publisher = { role: 'publisher' as const, actions: ['publish' as const] }
    expect(entryOf(me({ ...publisher, room: 'b' }), 'b', PUBLIC)).toMatchObject({
      kind: 'open',
      told: { room: { crew: null } },
    })
    expect(entryOf(me({ ...publisher, venue: 'nantes' }), 'b', PUBLIC)).toMatchObject({
      kind: 'open',
      told: { room: { crew: null } },
    })
    expect(entryOf(me({ ...publisher, room: 'a', page: '/studio/a' }), 'b', PUBLIC).kind).toBe('elsewhere')
  })

  it('is asked for, with the other room’s name', async () => {
    const asked: string[] = []
    const answers: Record<string, [number, unknown]> = {
      '/api/v1/me': [200, me({ ...TECHNICIAN, room: 'a', page: '/studio/a' })],
      '/api/v1/rooms/b': [200, PUBLIC],
      '/api/v1/rooms/a': [200, { ...PUBLIC, id: 'a', name: 'Salle A' }],
    }
    const api = new Api('g.s', (path) => {
      asked.push(path)
      const [status, body] = answers[path] ?? [404, {}]
      return Promise.resolve(new Response(JSON.stringify(body), { status }))
    })
    expect(await askEntry(api, 'b')).toEqual({ kind: 'elsewhere', name: 'Salle A', page: '/studio/a' })
    expect(asked).toHaveLength(3)
    answers['/api/v1/me'] = [401, { error: { code: 'grant_not_in_force', message: '' } }]
    expect(await askEntry(api, 'b')).toEqual({ kind: 'refused', early: true })
    answers['/api/v1/me'] = [503, {}]
    expect(await askEntry(api, 'b')).toEqual({ kind: 'unreachable' })
  })
})
