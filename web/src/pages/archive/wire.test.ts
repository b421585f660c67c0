import { survivesVersions } from '$lib/api/versions'
import { describe, expect, it } from 'vitest'
import { pageOf, readReplay, readWanted, writeWanted } from './wire'

describe('what is looked for', () => {
  it('stands in the address, and comes back from it', () => {
    const wanted = { q: 'été & co', event: 'days', tag: 'climat' }
    expect(readWanted(`?${writeWanted(wanted)}`)).toEqual(wanted)
    expect(writeWanted({ q: '  ', event: '', tag: '' })).toBe('')
    expect(pageOf(wanted, 24, 'c+d')).toBe(`${writeWanted(wanted)}&limit=24&cursor=c%2Bd`)
    expect(readWanted('')).toEqual({ q: '', event: '', tag: '' })
  })
})

describe('a replay of the archive', () => {
  const session = {
    id: 'a',
    title: 'Talk',
    state: 'ended',
    start: '2026-11-24T14:00:00+01:00',
    end: '2026-11-24T15:00:00+01:00',
  }
  const told = { session, still_url: '/replay/a/still.jpg', duration_ms: 6000, found: { at_s: 5, text: 'said' } }

  it('survives other versions', () => survivesVersions(readReplay, told, ['session'], []))

  it('is read with the place where the words were said', () => {
    expect(readReplay(told)).toMatchObject({
      session: { id: 'a' },
      duration_ms: 6000,
      found: { at_s: 5, text: 'said' },
    })
    expect(readReplay({ ...told, found: null })).toMatchObject({ found: null })
    expect(readReplay({ ...told, session: { id: 'a' } })).toBe(null)
  })
})
