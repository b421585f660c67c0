import { afterEach, describe, expect, it, vi } from 'vitest'
import { placeOf, Sheet } from './sheet.svelte'

afterEach(() => vi.unstubAllGlobals())

describe('the small pictures of a recording', () => {
  it('lie in rows of ten, one for each equal part of the bar', () => {
    expect(placeOf(0, 25)).toEqual({ left: 0, top: 0 })
    expect(placeOf(0.39, 25)).toEqual({ left: 1440, top: 0 })
    expect(placeOf(0.41, 25)).toEqual({ left: 0, top: 90 })
    expect(placeOf(1, 25)).toEqual({ left: 640, top: 180 })
    expect(placeOf(-1, 1)).toEqual({ left: 0, top: 0 })
  })

  it('are asked for once, beside the recording and with its key', async () => {
    const asked: string[] = []
    vi.stubGlobal('fetch', (address: string) => {
      asked.push(address)
      return Promise.resolve(new Response(new Blob(['jpeg']), { headers: { 'X-Tiles': '2' } }))
    })
    const sheet = new Sheet()
    const replay = { address: '/replay/a/~key/index.m3u8', growing: false }
    await sheet.load({ ...replay, growing: true })
    await sheet.load(replay)
    await sheet.load(replay)
    expect(asked).toEqual(['/replay/a/~key/sheet.jpg'])
    expect(sheet.at(0.9)).toMatch(/^background: url\("blob:.*"\) -160px 0px$/)
    sheet.close()
    expect(sheet.at(0.9)).toBe(null)
  })

  it('stay away where there are none', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('', { status: 404 })))
    const sheet = new Sheet()
    await sheet.load({ address: '/replay/a/index.m3u8', growing: false })
    expect(sheet.at(0.5)).toBe(null)
  })
})
