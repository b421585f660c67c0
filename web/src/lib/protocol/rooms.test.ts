import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { inOrder, type ListedRoom, readPage, RoomList } from './rooms'

const room = (id: string, state: string, name = id) => ({ id, name, venue: null, state, session: null, next: null })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('orders rooms on air first, then by name with numbers as numbers', () => {
  const page = readPage({
    items: [
      room('a', 'off', 'Salle 2'),
      room('b', 'off', 'Salle 10'),
      room('c', 'live', 'Zoo'),
      room('d', 'slate', 'Midi'),
    ],
    cursor: null,
  })
  expect(inOrder(page?.rooms ?? [], 'fr').map(({ name }) => name)).toEqual(['Zoo', 'Midi', 'Salle 2', 'Salle 10'])
})

it('leaves out what is no room, and refuses what is no list', () => {
  expect(readPage({ items: [room('a', 'live'), null, { id: 'b' }, 7] })?.rooms.map(({ id }) => id)).toEqual(['a'])
  expect(readPage({ error: {} })).toBeNull()
})

it('follows the pages of the list and goes on after a failure', async () => {
  const answers: (ListedRoom[] | null)[] = []
  const asked: string[] = []
  let down = false
  const list = new RoomList((rooms) => answers.push(rooms), {
    fetch: async (input) => {
      asked.push(input)
      if (down) throw new TypeError('failed to fetch')
      const first = !input.includes('cursor')
      return Response.json({ items: [room(first ? 'a' : 'b', 'live')], cursor: first ? 'n x' : null })
    },
    random: () => 0,
  })
  await list.start()
  expect(asked).toEqual(['/api/v1/rooms', '/api/v1/rooms?cursor=n%20x'])
  expect(answers[0]?.map(({ id }) => id)).toEqual(['a', 'b'])
  down = true
  await vi.advanceTimersByTimeAsync(12_000)
  expect(answers[1]).toBeNull()
  down = false
  await vi.advanceTimersByTimeAsync(1_000)
  expect(answers[2]).toHaveLength(2)
  list.stop()
})

it('shows venues by name where the list of them tells it', async () => {
  const answers: (ListedRoom[] | null)[] = []
  const list = new RoomList((rooms) => answers.push(rooms), {
    fetch: async (input) =>
      input.startsWith('/api/v1/venues')
        ? Response.json({ items: [{ id: 'nantes', name: 'Maison des associations' }], cursor: null })
        : Response.json({
            items: [
              { ...room('a', 'live'), venue: 'nantes' },
              { ...room('b', 'live'), venue: 'brest' },
            ],
            cursor: null,
          }),
    random: () => 0,
  })
  await list.start()
  list.stop()
  expect(answers[0]?.map(({ venue }) => venue)).toEqual(['Maison des associations', 'brest'])
})
