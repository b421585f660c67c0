import { describe, expect, it } from 'vitest'
import { readRoute, routePath } from './route'

describe('addresses', () => {
  it('are read as they are written', () => {
    const route = { view: 'sessions', id: 'a/b c', query: { day: '2026-11-24', room: 'grande salle' } } as const
    const url = new URL(routePath(route), 'http://x')
    expect(readRoute(url.pathname, url.search, 'rooms')).toEqual(route)
  })

  it('leave out empty filters', () => {
    expect(routePath({ view: 'audit', query: { who: '', room: 'a' } })).toBe('/admin/audit?room=a')
    expect(routePath({ view: 'venues' })).toBe('/admin/venues')
  })

  it.each(['/admin', '/admin/', '/admin/nothing', '/', '/admin/__proto__'])('%s leads to the first view', (path) => {
    expect(readRoute(path, '?x=1', 'sessions')).toEqual({ view: 'sessions', id: '', query: {} })
  })

  it('survive what is no escape', () => {
    expect(readRoute('/admin/rooms/%E0%A4%A', '', 'sessions')).toEqual({ view: 'rooms', id: '', query: {} })
  })
})
