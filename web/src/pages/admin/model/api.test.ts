import { describe, expect, it } from 'vitest'
import { ApiFailure, queryText } from '$lib/api/client'
import { AdminApi, fieldsOf } from './api'

const answer = (status: number, body: unknown) => new Response(JSON.stringify(body), { status })

function api(...answers: (Response | Error)[]) {
  const asked: { url: string; init: RequestInit }[] = []
  let out = 0
  const made = new AdminApi(
    async (url, init) => {
      asked.push({ url, init })
      const next = answers.shift()
      if (next === undefined) throw new Error('asked too often')
      if (next instanceof Error) throw next
      return next
    },
    () => out++,
  )
  return { made, asked, out: () => out }
}

async function failure(promise: Promise<unknown>): Promise<ApiFailure> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ApiFailure)) throw new Error('it did not fail')
  return error
}

describe('AdminApi', () => {
  it('follows a list to its end and leaves out what cannot be read', async () => {
    const { made, asked } = api(
      answer(200, { items: [1, 'x'], cursor: 'a b' }),
      answer(200, { items: [2], cursor: null }),
    )
    const read = (item: unknown) => (typeof item === 'number' ? item : null)
    expect(await made.all('/things', read, { venue: 'v', room: null })).toEqual([1, 2])
    expect(asked.map(({ url }) => url)).toEqual([
      '/api/v1/things?venue=v&limit=200',
      '/api/v1/things?venue=v&limit=200&cursor=a+b',
    ])
  })

  it('tells field by field what was refused', async () => {
    const details = [{ field: 'end', message: 'end must come after start', code: 'value_error' }]
    const { made } = api(answer(422, { error: { code: 'invalid', message: 'No.', details } }))
    const error = await failure(made.post('/sessions', {}))
    expect([error.status, error.code, fieldsOf(error)]).toEqual([422, 'invalid', details])
  })

  it('says once that the login is over', async () => {
    const { made, out } = api(answer(401, { error: { code: 'unauthorized', message: 'No.' } }))
    expect((await failure(made.get('/grants'))).code).toBe('unauthorized')
    expect(out()).toBe(1)
  })

  it('calls a server that is away unreachable, and a proxy’s page an HTTP error', async () => {
    const { made, out } = api(new TypeError('network'), new Response('<html>', { status: 502 }))
    expect((await failure(made.get('/rooms'))).code).toBe('unreachable')
    expect(await failure(made.get('/rooms'))).toMatchObject({ status: 502, code: 'http_502', details: null })
    expect(out()).toBe(0)
  })

  it('sends files as they are and changes as JSON', async () => {
    const { made, asked } = api(answer(201, {}), answer(200, {}), new Response(null, { status: 204 }))
    await made.upload('/imports', new Blob(['x']), { event: 'e' })
    await made.patch('/rooms/a', { name: 'A' })
    expect(await made.remove('/rooms/a')).toEqual({})
    expect(asked.map(({ init }) => [init.method, new Headers(init.headers).get('Content-Type')])).toEqual([
      ['POST', 'application/octet-stream'],
      ['PATCH', 'application/json'],
      ['DELETE', null],
    ])
    expect(asked[1]?.init.body).toBe('{"name":"A"}')
  })
})

it('writes queries without what is empty', () => {
  expect(queryText({ a: 1, b: '', c: null, d: undefined, e: 'x&y', f: false })).toBe('?a=1&e=x%26y&f=false')
  expect(queryText({})).toBe('')
})
