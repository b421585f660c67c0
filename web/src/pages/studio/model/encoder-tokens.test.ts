import { describe, expect, it } from 'vitest'
import { Api } from '$lib/api/api'
import { EncoderTokens, scopeOf } from './encoder-tokens.svelte'

const ME = { session: null, event: null }

/** A server with grants; the ids of those that it made count up. A list says what there was when it was asked for, and
    comes when `held` lets it. */
function server(held = Promise.resolve()) {
  const grants = [{ id: 'm', role: 'moderator', label: 'Mo', created: '2026-05-01T09:00:00Z' }]
  const asked: [string, string, unknown][] = []
  const api = new Api('', (path, init) => {
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : null
    asked.push([init.method ?? '', path, body])
    const answer = (status: number, told: unknown) =>
      Promise.resolve(new Response(status === 204 ? null : JSON.stringify(told), { status }))
    if (init.method === 'GET') {
      const [items, wait] = [[...grants], asked.length === 1 ? held : Promise.resolve()]
      return wait.then(() => answer(200, { items, cursor: null }))
    }
    if (init.method === 'DELETE') {
      const at = grants.findIndex(({ id }) => path.endsWith(`/${id}`))
      grants.splice(at, 1)
      return answer(204, null)
    }
    const made = {
      id: `p${grants.length}`,
      created: '2026-05-01T10:00:00Z',
      ...(body as { role: string; label: string }),
    }
    grants.push(made)
    return answer(201, { ...made, token: `${made.id}.secret`, link: '' })
  })
  return { api, asked, grants }
}

function storage() {
  const values = new Map<string, string>()
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  }
}

describe('a token for an encoder', () => {
  it('is made for this room alone, shown in this tab, and gone once it is revoked', async () => {
    const { api, asked } = server()
    const store = storage()
    const tokens = new EncoderTokens(api, 'b12', store)
    await tokens.make(ME, 'OBS')
    expect(asked[0]).toEqual(['POST', '/api/v1/grants', { role: 'publisher', room: 'b12', label: 'OBS' }])
    expect(tokens.made).toBe('p1.secret')
    expect(tokens.list?.map(({ id, label }) => [id, label])).toEqual([['p1', 'OBS']])
    // A reload of the tab still has it.
    expect(new EncoderTokens(api, 'b12', store).made).toBe('p1.secret')
    expect(new EncoderTokens(api, 'b13', store).made).toBe('')
    await tokens.revoke(ME, 'p1')
    expect([tokens.made, tokens.list]).toEqual(['', []])
    expect(new EncoderTokens(api, 'b12', store).made).toBe('')
  })

  it('is forgotten where somebody else revoked it, and told where it could not be made', async () => {
    const { api, grants } = server()
    const tokens = new EncoderTokens(api, 'b12', storage())
    await tokens.make(ME, 'OBS')
    grants.length = 0
    await tokens.read(ME)
    expect(tokens.made).toBe('')
    const away = new EncoderTokens(new Api('', () => Promise.reject(new TypeError('away'))), 'b12', storage())
    await away.make(ME, 'OBS')
    expect([away.problem, away.made, away.busy]).toEqual(['unreachable', '', false])
  })

  it('stays shown where a list that was asked for before comes after it was made', async () => {
    let come = () => {}
    const { api } = server(new Promise((resolve) => (come = resolve)))
    const tokens = new EncoderTokens(api, 'b12', storage())
    const first = tokens.read(ME)
    await tokens.make(ME, 'OBS')
    come()
    await first
    expect([tokens.made, tokens.list?.length]).toEqual(['p1.secret', 1])
  })

  it('reaches no further than the technician’s own link', () => {
    expect(scopeOf(ME, 'b12')).toEqual({ room: 'b12' })
    expect(scopeOf({ session: 's', event: null }, 'b12')).toEqual({ session: 's' })
    expect(scopeOf({ session: null, event: 'e' }, 'b12')).toEqual({ event: 'e' })
  })
})
