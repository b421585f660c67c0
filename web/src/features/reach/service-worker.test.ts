import { expect, it } from 'vitest'
import code from '../../../public/service-worker.js?raw'

type Handler = (event: Record<string, unknown>) => void

/** The worker's script with what a browser gives it. */
function worker(answers: boolean) {
  const handlers: Record<string, Handler> = {}
  const did: unknown[][] = []
  const self = {
    addEventListener: (name: string, handler: Handler) => void (handlers[name] = handler),
    skipWaiting: () => did.push(['skipped']),
    clients: {
      claim: () => did.push(['claimed']),
      openWindow: async (link: string) => void did.push(['opened', link]),
    },
    registration: {
      showNotification: async (title: string, options: object) => void did.push(['shown', title, options]),
      pushManager: { subscribe: async () => ({ toJSON: () => ({ endpoint: 'https://push.example/2' }) }) },
    },
  }
  const fetched = async (address: string, init: RequestInit) => {
    did.push(['asked', init.method, address])
    return { ok: answers }
  }
  new Function('self', 'fetch', code)(self, fetched)
  const send = async (name: string, event: Record<string, unknown>) => {
    let lasts: Promise<unknown> = Promise.resolve()
    handlers[name]!({ ...event, waitUntil: (promise: Promise<unknown>) => (lasts = promise) })
    await lasts
    return did.splice(0)
  }
  return { handlers, send }
}

const pushed = (text: string) => ({ data: { json: () => JSON.parse(text) as unknown } })

it('answers no request: no page is ever stale', () => {
  expect(Object.keys(worker(true).handlers).sort()).toEqual([
    'activate',
    'install',
    'notificationclick',
    'push',
    'pushsubscriptionchange',
  ])
})

it('rings for an alarm and is quiet at its end, in the place of what it showed', async () => {
  const { send } = worker(true)
  const began = {
    kind: 'began',
    title: 'Hall: black',
    text: 'Since 9:05.',
    tag: 'i',
    link: '/alarm/a/b',
    take: '/alarm/a',
  }
  const shown = await send('push', pushed(JSON.stringify({ ...began, takeLabel: 'I take it' })))
  expect(shown).toEqual([
    [
      'shown',
      'Hall: black',
      expect.objectContaining({
        body: 'Since 9:05.',
        tag: 'i',
        silent: false,
        requireInteraction: true,
        actions: [{ action: 'take', title: 'I take it' }],
        data: { link: '/alarm/a/b', take: '/alarm/a' },
      }),
    ],
  ])
  const ended = await send('push', pushed('{"kind":"ended","title":"Over","tag":"i"}'))
  expect(ended).toEqual([['shown', 'Over', expect.objectContaining({ tag: 'i', silent: true, actions: [] })]])
  // A browser takes the right to ring away from a worker that shows nothing.
  expect(await send('push', pushed('no JSON'))).toHaveLength(1)
})

it('takes an alarm by its button, and opens the page where that failed or was asked for', async () => {
  const close = () => undefined
  const clicked = (action: string) => ({
    action,
    notification: { close, data: { link: '/alarm/a/b', take: '/alarm/a' } },
  })
  expect(await worker(true).send('notificationclick', clicked('take'))).toEqual([['asked', 'POST', '/alarm/a']])
  expect(await worker(false).send('notificationclick', clicked('take'))).toEqual([
    ['asked', 'POST', '/alarm/a'],
    ['opened', '/alarm/a/b'],
  ])
  expect(await worker(true).send('notificationclick', clicked(''))).toEqual([['opened', '/alarm/a/b']])
})

it('tells the server of a subscription that the browser has renewed', async () => {
  expect(await worker(true).send('pushsubscriptionchange', {})).toEqual([['asked', 'POST', '/api/v1/hooks']])
})
