import { afterEach, expect, it, vi } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { readCaptions } from './captions'
import { post } from './post'
import { NotTaken } from './typing'

const CAPTION: Schema['CaptionAnswer'] = {
  id: 'c',
  lang: 'fr',
  text: 'Bonjour',
  at: '2026-11-24T08:00:00Z',
  final: true,
}
const SENT = { lang: 'fr', text: 'Bonjour', final: true, at: null }

afterEach(() => void vi.unstubAllGlobals())

it('reads captions of older and newer servers', () => {
  const list: Schema['CaptionList'] = { languages: ['fr'], next: ['fr', 'en'], on: true, items: [CAPTION] }
  survivesVersions(readCaptions, list, [])
  expect(readCaptions({ ...list, items: [CAPTION, { id: 'd' }] })?.items).toEqual([
    { id: 'c', lang: 'fr', text: 'Bonjour' },
  ])
})

it('sends a caption, and says why it was not taken and when to try again', async () => {
  const lost = vi.fn()
  const answers = [
    () => Response.json(CAPTION),
    () => Response.json({ error: { code: 'slow_down' } }, { status: 429, headers: { 'Retry-After': '3' } }),
    () => new Response('<html>', { status: 503 }),
    () => Response.json({ error: { code: 'too_late' } }, { status: 409 }),
    () => Response.json({ error: { code: 'forbidden' } }, { status: 403 }),
  ]
  vi.stubGlobal('fetch', async () => answers.shift()!())
  await expect(post('/captions', SENT, lost)).resolves.toEqual({ id: 'c', text: 'Bonjour' })
  await expect(post('/captions', SENT, lost)).rejects.toMatchObject({ code: 'slow_down', wait_ms: 3_000 })
  await expect(post('/captions', SENT, lost)).rejects.toMatchObject({ code: 'http_503', wait_ms: 2_000 })
  await expect(post('/captions', SENT, lost)).rejects.toMatchObject({ code: 'too_late', wait_ms: null })
  expect(lost).not.toHaveBeenCalled()
  await expect(post('/captions', SENT, lost)).rejects.toBeInstanceOf(NotTaken)
  expect(lost).toHaveBeenCalledOnce()
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')))
  await expect(post('/captions', SENT, lost)).rejects.not.toBeInstanceOf(NotTaken)
})
