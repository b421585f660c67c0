import { expect, it } from 'vitest'
import type { Schema } from '$lib/api/types'
import { survivesVersions } from '$lib/api/versions'
import { HallApi, readCode } from './codes'

interface Asked {
  method: string | undefined
  path: string
  headers: unknown
  body: unknown
}

function api(token: string, answers: (Response | Error)[]) {
  const asked: Asked[] = []
  const hall = new HallApi('salle 1', token, async (input, init) => {
    asked.push({ method: init?.method, path: String(input), headers: init?.headers, body: init?.body })
    const answer = answers.shift() ?? new Error('nothing')
    if (answer instanceof Error) throw answer
    return answer
  })
  return { asked, hall }
}

const CODE = { code: 'CD5H8K', place: 'hall', link: 'https://a.test/join/CD5H8K', qr: 'data:image/svg+xml,x' }

it('reads codes of older and newer servers', () => {
  const code: Schema['HallCodeView'] = { ...CODE, room: 'salle 1', created: '2026-11-24T08:00:00Z' }
  survivesVersions(readCode, code, ['code', 'place', 'link', 'qr'])
  expect(readCode({ ...code, qr: 'https://a.test/qr.png' })).toBeNull()
})

it('reads what it can of a list', async () => {
  const { hall, asked } = api('', [Response.json({ items: [CODE, { code: 'x' }, null], cursor: null })])
  await expect(hall.list()).resolves.toEqual([CODE])
  expect(asked).toEqual([
    {
      method: 'GET',
      path: '/api/v1/rooms/salle%201/hall-codes',
      headers: { Accept: 'application/json' },
      body: undefined,
    },
  ])
})

it('makes the hall’s code where no place is named, takes codes back, and goes by a token where there is one', async () => {
  const done = () => Response.json(CODE, { status: 201 })
  const { hall, asked } = api('g.token', [done(), done(), new Response(null, { status: 204 })])
  await hall.make('')
  await hall.make('Nantes')
  await hall.takeBack('CD5H8K')
  expect(asked.map(({ method, path, body }) => [method, path.replace('/api/v1/rooms/salle%201', ''), body])).toEqual([
    ['POST', '/hall-codes', '{}'],
    ['POST', '/hall-codes', '{"place":"Nantes"}'],
    ['DELETE', '/hall-codes/CD5H8K', undefined],
  ])
  expect(asked[0]?.headers).toMatchObject({ Authorization: 'Bearer g.token' })
})

it('says why not', async () => {
  const error = { error: { code: 'too_many_codes', message: '' } }
  const { hall } = api('', [
    Response.json(error, { status: 409 }),
    new Response('<html>', { status: 502 }),
    new Error(),
  ])
  for (const code of ['too_many_codes', 'http_502', 'unreachable']) {
    await expect(hall.make('x')).rejects.toMatchObject({ code })
  }
})
