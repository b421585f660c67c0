import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EVERY_MS, pictureOf, Pictures } from './pictures'

let open: { path: string; answer: (response: Response) => void }[] = []
let pictures: Pictures

beforeEach(() => {
  vi.useFakeTimers()
  open = []
  pictures = new Pictures({
    fetch: (path) => new Promise((answer) => open.push({ path, answer })),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (handle) => clearTimeout(handle as number),
    now: () => performance.now(),
  })
})
afterEach(() => vi.useRealTimers())

const jpeg = (etag: string) => new Response(new Blob(['jpeg']), { headers: { ETag: etag } })
const answer = async (response: Response, at = 0) => {
  open.splice(at, 1)[0]?.answer(response)
  await vi.advanceTimersByTimeAsync(0)
}

describe('pictures of rooms', () => {
  it('use four connections at most, and each comes every two seconds', async () => {
    const asked: Record<string, number> = {}
    for (let room = 0; room < 10; room++) pictures.watch(`/${room}`, () => undefined)
    expect(open).toHaveLength(4)
    for (let ms = 0; ms < 10 * EVERY_MS; ms += 20) {
      await vi.advanceTimersByTimeAsync(20)
      expect(open.length).toBeLessThanOrEqual(4)
      for (const { path } of open) asked[path] = (asked[path] ?? 0) + 1
      while (open.length > 0) open.shift()?.answer(jpeg(`"${ms}"`))
    }
    expect(Object.keys(asked)).toHaveLength(10)
    for (const count of Object.values(asked)) expect(Math.abs(count - 10)).toBeLessThanOrEqual(1)
  })

  it('are shown once each, gone where the server has none, and kept where it does not answer', async () => {
    const shown: (string | null)[] = []
    pictures.watch('/a', (picture) => shown.push(picture && 'picture'))
    const steps: Response[] = [
      jpeg('"1"'),
      jpeg('"1"'),
      jpeg('"2"'),
      new Response('', { status: 503 }),
      new Response('', { status: 404 }),
      jpeg('"2"'),
    ]
    for (const step of steps) {
      await answer(step)
      await vi.advanceTimersByTimeAsync(EVERY_MS)
    }
    expect(shown).toEqual(['picture', 'picture', null, 'picture'])
  })

  it('of which nobody wants to know are not asked for any more', async () => {
    const shown: unknown[] = []
    const stop = pictures.watch('/a', (picture) => shown.push(picture))
    stop()
    await answer(jpeg('"1"'))
    await vi.advanceTimersByTimeAsync(3 * EVERY_MS)
    expect(shown).toEqual([])
    expect(open).toEqual([])
  })

  it('have addresses', () => {
    expect(pictureOf('a', null)).toBe('/api/v1/rooms/a/picture.jpg')
    expect(pictureOf('a', 'main')).toBe('/api/v1/rooms/a/picture.jpg?source=main')
  })
})
