import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Api } from './api'
import { ask, readError, readList } from './client'
import { readText, readTextOrNull, shape } from './read'
import type { Schema } from './types'

type Sent = [string, RequestInit]
const answering = (answer: () => Response, sent: Sent[] = []) => ({
  fetcher: async (address: string, init: RequestInit) => {
    sent.push([address, init])
    return answer()
  },
})

describe('a request', () => {
  it('goes by the link’s token, and without one by the cookie', async () => {
    const sent: Sent[] = []
    const { fetcher } = answering(() => Response.json({}), sent)
    await new Api('g.token', fetcher).post('/api/v1/a', { b: 1 })
    await new Api('', fetcher).get('/api/v1/a')
    expect(sent[0]?.[1]).toMatchObject({
      method: 'POST',
      credentials: 'omit',
      body: '{"b":1}',
      headers: { Accept: 'application/json', Authorization: 'Bearer g.token', 'Content-Type': 'application/json' },
    })
    expect(sent[1]?.[1].headers).toEqual({ Accept: 'application/json' })
    expect(sent[1]?.[1]).not.toHaveProperty('credentials')
  })

  it('is answered with an object, and with the server’s clock', async () => {
    const headers = { Date: 'Tue, 24 Nov 2026 09:00:00 GMT' }
    await expect(
      ask(
        '/a',
        answering(() => Response.json({ id: 'a' }, { headers })),
      ),
    ).resolves.toEqual({
      ok: true,
      data: { id: 'a' },
      date_ms: Date.UTC(2026, 10, 24, 9),
    })
    const nothing = answering(() => new Response(null, { status: 204 }))
    await expect(ask('/a', nothing)).resolves.toMatchObject({ ok: true, data: {}, date_ms: null })
  })

  it.each(['<html>', '[]', 'null', '"text"', '5', ''])('is not answered with %j', async (body) => {
    const result = await ask(
      '/a',
      answering(() => new Response(body)),
    )
    expect(result).toMatchObject({ ok: false, status: 200, error: { code: 'bad_answer' } })
  })

  it('is refused with the server’s error, or with the status where a proxy answers', async () => {
    const error = { code: 'too_late', message: 'Too late.' }
    const refused = answering(() => Response.json({ error }, { status: 409 }))
    await expect(ask('/a', refused)).resolves.toMatchObject({ ok: false, status: 409, error })
    const proxy = answering(() => new Response('<html>', { status: 502 }))
    await expect(ask('/a', proxy)).resolves.toMatchObject({ ok: false, status: 502, error: { code: 'http_502' } })
    const busy = answering(() => new Response('', { status: 503, headers: { 'Retry-After': '2' } }))
    await expect(ask('/a', busy)).resolves.toMatchObject({ ok: false, retryAfter_ms: 2_000 })
    const away = { fetcher: () => Promise.reject(new TypeError('network')) }
    await expect(ask('/a', away)).resolves.toMatchObject({ ok: false, status: 0, error: { code: 'unreachable' } })
  })
})

describe('a tap', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const lost = [
    () => Promise.reject(new TypeError('network')),
    () => new Response('', { status: 504 }),
    () => Response.json({ error: { code: 'core_lost', message: '' } }, { status: 503 }),
  ]

  it('is sent again with its id until it is answered', async () => {
    const keys: (string | undefined)[] = []
    const answers = [...lost, () => Response.json({ action: 'a' })]
    const fetcher = async (_address: string, init: RequestInit) => {
      keys.push((init.headers as Record<string, string>)['Idempotency-Key'])
      return answers.shift()!()
    }
    const answered = new Api('', fetcher).post('/api/v1/rooms/a/air', { slate: true }, 'k1')
    await vi.advanceTimersByTimeAsync(5_000)
    await expect(answered).resolves.toMatchObject({ ok: true, data: { action: 'a' } })
    expect(keys).toEqual(['"k1"', '"k1"', '"k1"', '"k1"'])
  })

  it('is not sent again where it was refused, or has no id', async () => {
    let sent = 0
    const fetcher = async () => {
      sent++
      return Response.json({ error: { code: 'store_unavailable', message: '' } }, { status: 503 })
    }
    await expect(new Api('', fetcher).post('/a', {}, 'k1')).resolves.toMatchObject({ ok: false })
    const away = async () => {
      sent++
      return new Response('', { status: 502 })
    }
    await expect(new Api('', away).post('/a', {})).resolves.toMatchObject({ ok: false, status: 502 })
    expect(sent).toBe(2)
  })
})

describe('a list', () => {
  const readId = shape<Schema['RoomView']>()(({ field, needed }) => ({
    id: needed('id', readTextOrNull),
    name: field('name', readText),
  }))

  it('is followed page by page', async () => {
    const sent: Sent[] = []
    const pages = [
      { items: [{ id: 'a', name: 'A' }, null], cursor: 'next' },
      { items: [{ id: 'b' }], cursor: null },
    ]
    const { fetcher } = answering(() => Response.json(pages.shift()), sent)
    await expect(new Api('', fetcher).all('/api/v1/rooms', { venue: 'é' }, readId)).resolves.toEqual([
      { id: 'a', name: 'A' },
      { id: 'b', name: '' },
    ])
    expect(sent.map(([address]) => address)).toEqual([
      '/api/v1/rooms?venue=%C3%A9&limit=200',
      '/api/v1/rooms?venue=%C3%A9&limit=200&cursor=next',
    ])
  })

  it('is none where a page does not come, or where it is something else', async () => {
    const { fetcher } = answering(() => new Response('', { status: 502 }))
    await expect(new Api('', fetcher).all('/api/v1/rooms', {}, readId)).resolves.toBeNull()
    expect(readList({ items: 'no' }, readId)).toBeNull()
  })
})

it('reads an error in the server’s shape only', () => {
  const error = { code: 'too_late', message: 'Too late.' }
  expect(readError({ error })).toEqual({ ...error, details: null })
  expect(readError('<html>')).toBeNull()
  expect(readError({ error: 'no' })).toBeNull()
})

it('hands on what it does not know: fields and words of a newer server, and what an older one leaves out', async () => {
  const newer = { id: 'a', state: 'rehearsal', seats: 120 }
  const result = await ask<Schema['RoomView']>(
    '/a',
    answering(() => Response.json(newer)),
  )
  expect(result).toMatchObject({ ok: true, data: newer })
  if (result.ok) expect(result.data.name).toBeUndefined()
})
