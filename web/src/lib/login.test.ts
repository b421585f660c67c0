import { describe, expect, it } from 'vitest'
import type { Schema } from '$lib/api/types'
import { survivesVersions } from '$lib/api/versions'
import { logIn, type LoginError, type Me, pageAfter, readMe } from '$lib/login'

const ME: Me = {
  grant: 'g',
  role: 'technician',
  label: 'Ana',
  room: 'a',
  venue: null,
  event: null,
  session: null,
  rooms: [],
  actions: ['publish'],
  ends: null,
  page: '/studio/a',
}

const answering = (status: number, body: unknown) => () =>
  Promise.resolve(new Response(JSON.stringify(body), { status }))
const problemOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'none',
    (error: LoginError) => error.problem,
  )

it('reads rights of older and newer servers', () => {
  const told: Schema['MeView'] = { ...ME, actions: ['publish'], login_expires: null }
  survivesVersions(readMe, told, [], ['role'])
  expect(readMe(told)).toEqual(ME)
  expect(readMe({ rooms: null, actions: [5], page: 7 })).toMatchObject({
    role: 'viewer',
    rooms: [],
    actions: [],
    page: '/',
  })
})

describe('logging in', () => {
  it('sends the token in the body, never in the address', async () => {
    const asked: [string, RequestInit][] = []
    const me = await logIn({ token: 'g.secret' }, (input, init) => {
      asked.push([input, init])
      return answering(200, ME)()
    })
    expect(me).toEqual(ME)
    expect(asked).toHaveLength(1)
    expect(asked[0]?.[0]).toBe('/api/v1/login')
    expect(asked[0]?.[1]).toMatchObject({ method: 'POST', keepalive: true, body: '{"token":"g.secret"}' })
  })

  it.each([
    [401, { error: { code: 'invalid_token' } }, 'refused'],
    [401, { error: { code: 'grant_not_in_force' } }, 'not_in_force'],
    [422, 'nonsense', 'refused'],
    [429, { error: { code: 'rate_limited' } }, 'too_many'],
    [503, {}, 'unreachable'],
  ])('says what a %i means', async (status, body, problem) => {
    expect(await problemOf(logIn({ token: 't' }, answering(status, body)))).toBe(problem)
  })

  it('tells a wrong password from a wrong link, and a server that is away from both', async () => {
    const wrong = answering(401, { error: { code: 'wrong_password' } })
    expect(await problemOf(logIn({ password: 'p' }, wrong))).toBe('wrong_password')
    expect(await problemOf(logIn({ password: 'p' }, () => Promise.reject(new TypeError('offline'))))).toBe(
      'unreachable',
    )
  })

  it('goes on to the own page of the role, and nowhere else', () => {
    expect(pageAfter(ME, 'g.s')).toBe('/studio/a#token=g.s')
    expect(pageAfter({ ...ME, page: '/session/x' }, 'g.s')).toBe('/session/x')
    expect(pageAfter({ ...ME, page: '//evil.example' }, 'g.s')).toBe('/')
    expect(pageAfter(ME, '')).toBe('/studio/a')
  })
})
