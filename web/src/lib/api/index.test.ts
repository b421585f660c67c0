import { afterEach, expect, it, vi } from 'vitest'
import { getAll, getJson } from '$lib/api'
import { readVenue } from '$lib/protocol/day'

const asked: string[] = []
function answering(answer: (address: string) => Response): void {
  asked.length = 0
  vi.stubGlobal('fetch', async (address: string) => {
    asked.push(address)
    return answer(address)
  })
}
afterEach(() => void vi.unstubAllGlobals())

it('follows a list to its end, in as few questions as may be', async () => {
  answering((address) =>
    address.includes('cursor')
      ? Response.json({ items: [{ id: 'b' }], cursor: null })
      : Response.json({ items: [{ id: 'a' }, null], cursor: 'n x' }),
  )
  const venues = await getAll('venues', { event: 'é' }, readVenue)
  expect(venues.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(asked).toEqual(['/api/v1/venues?event=%C3%A9&limit=200', '/api/v1/venues?event=%C3%A9&limit=200&cursor=n+x'])
})

it('has no half of a list', async () => {
  answering((address) =>
    address.includes('cursor') ? new Response('', { status: 502 }) : Response.json({ items: [], cursor: 'n' }),
  )
  await expect(getAll('venues', {}, readVenue)).rejects.toMatchObject({ status: 502 })
  answering(() => Response.json({ error: {} }))
  await expect(getAll('venues', {}, readVenue)).rejects.toThrow('no list')
})

it('tells what is not there from a server that is away', async () => {
  answering(() => new Response('{}', { status: 404 }))
  await expect(getJson('/sessions/x')).resolves.toBeNull()
  answering(() => new Response('<html>', { status: 503 }))
  await expect(getJson('/sessions/x')).rejects.toMatchObject({ status: 503 })
})
