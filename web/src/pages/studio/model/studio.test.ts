import { afterEach, expect, it, vi } from 'vitest'
import { byCookie, Studio } from './studio.svelte'

afterEach(() => vi.unstubAllGlobals())

it('says that the page is being closed, though its sender ends the publication in the same moment', () => {
  const asked: [string, RequestInit][] = []
  vi.stubGlobal('window', new EventTarget())
  vi.stubGlobal('document', new EventTarget())
  vi.stubGlobal('fetch', async (address: string, init: RequestInit) => {
    asked.push([address, init])
    return new Response(null, { status: 204 })
  })
  const part = () => ({ start: () => undefined, poke: () => undefined })
  const sender = {
    publishing: true,
    start: (signal: AbortSignal) => window.addEventListener('pagehide', () => (sender.publishing = false), { signal }),
  }
  const abort = new AbortController()
  const timers: ReturnType<typeof setInterval>[] = []
  const studio = Object.create(Studio.prototype, {
    abort: { value: abort },
    sender: { value: sender },
    inputs: { value: part() },
    roomWatch: { value: part() },
    day: { value: part() },
    timers: { value: timers },
    place: { value: { id: 'hall', source: 'main' } },
    token: { value: 'id.secret' },
    watchBattery: { value: async () => undefined },
    resume: { value: async () => undefined },
  }) as Studio
  studio.start({ room: null, me: null })
  window.dispatchEvent(new Event('pagehide'))
  timers.forEach(clearInterval)
  abort.abort()
  expect(asked).toHaveLength(1)
  expect(asked[0]).toMatchObject(['/api/v1/rooms/hall/sources/main/leaving', { method: 'POST', keepalive: true }])
  expect(asked[0]?.[1].body).toBe('{"leaving":"pagehide"}')
})

it('publishes by the login cookie where the page has no token, as after a venue’s link', () => {
  const init = byCookie({ method: 'POST', headers: { Authorization: 'Bearer ', Accept: 'a' }, credentials: 'omit' })
  expect(init.credentials).toBe('same-origin')
  expect([...new Headers(init.headers).keys()]).toEqual(['accept'])
})
