import { expect, it } from 'vitest'
import { inOrder, readListed } from './rooms'

const room = (id: string, state: string) => ({
  id,
  name: `Salle ${id}`,
  venue: 'asso',
  state,
  session: null,
  next: null,
})

it('reads a room of the list, and none without its id', () => {
  expect(readListed(room('2', 'live'))).toMatchObject({ id: '2', name: 'Salle 2', venue: 'asso', state: 'live' })
  expect(readListed({ ...room('2', 'live'), id: 7 })).toBeNull()
  expect(readListed(null)).toBeNull()
})

it('puts what is on air first, and numbers in the order of their value', () => {
  const rooms = [room('10', 'off'), room('2', 'off'), room('b', 'slate'), room('a', 'live')].map((one) =>
    readListed(one)!,
  )
  expect(inOrder(rooms, 'fr').map(({ id }) => id)).toEqual(['a', 'b', '2', '10'])
})
