import { describe, expect, it } from 'vitest'
import { readMe } from '$lib/login'
import { readListed } from '$lib/protocol/rooms'
import { roomsOf } from './own'

const rooms = [
  ['a', 'paris'],
  ['b', 'paris'],
  ['c', 'lyon'],
].map(([id, venue]) => readListed({ id, venue, name: id, state: 'off' })!)

const reached = (me: object) => roomsOf(readMe({ page: '/', ...me }), rooms)?.rooms.map(({ href }) => href)

describe('a link that opens several rooms', () => {
  it('leads to the page of its role in each room that it reaches', () => {
    expect(reached({ role: 'captioner', venue: 'paris' })).toEqual(['/caption/a', '/caption/b'])
    expect(reached({ role: 'speaker', event: 'days', rooms: ['c', 'b'] })).toEqual(['/stage/b', '/stage/c'])
    expect(reached({ role: 'viewer', session: 's', rooms: [] })).toEqual([])
    expect(reached({ role: 'viewer' })).toEqual(['/watch/a', '/watch/b', '/watch/c'])
  })

  it('is no choice for a role with a page of its own', () => {
    expect(roomsOf(readMe({ role: 'captioner', page: '/caption/a' }), rooms)).toBeNull()
    expect(roomsOf(readMe({ role: 'admin', page: '/admin' }), rooms)).toBeNull()
    expect(roomsOf(readMe({}), rooms)?.role).toBe('viewer')
  })
})
