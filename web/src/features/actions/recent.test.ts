import { expect, it } from 'vitest'
import { Api } from '$lib/api/api'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { askRecent, readRecent } from './recent'

const ACTION: Schema['ActionView'] = {
  id: 'a',
  room: 'turing',
  session: null,
  title: 'Opening',
  kind: 'session.start',
  at: '2026-11-24T08:00:00Z',
  by: 'Ana',
  undone: null,
  undoable: true,
}

it('reads actions of older and newer servers', () => {
  survivesVersions(readRecent, ACTION, ['id', 'at'], ['kind'])
})

it('asks for those of a room', async () => {
  const asked: string[] = []
  const api = new Api('', async (address) => {
    asked.push(address)
    return Response.json({ items: [ACTION, { id: 'b' }], cursor: null })
  })
  await expect(askRecent(api, 'salle 1')).resolves.toEqual([
    {
      id: 'a',
      kind: 'start',
      subject: 'Opening',
      at_ms: Date.UTC(2026, 10, 24, 8),
      by: 'Ana',
      undone: false,
      undoable: true,
    },
  ])
  expect(asked).toEqual(['/api/v1/actions?room=salle+1&limit=20'])
  const away = new Api('', () => Promise.reject(new TypeError('network')))
  await expect(askRecent(away, 'turing')).resolves.toBeNull()
})
