import { describe, expect, it } from 'vitest'
import type { Alarm } from '$lib/protocol/day'
import { lampOf, mayGoOnAir, recOf, seenByItsOwn } from './lamp'
import { NINE_MS, room, running, session } from './samples'

describe('the room’s big state', () => {
  const live = { state: 'live', shows: { public: 'programme' }, mediaUp: true } as const

  it('is a preview while something comes in and nobody sees it', () => {
    expect(lampOf(room())).toBe('standby')
    expect(lampOf(room({ mediaUp: true }))).toBe('preview')
  })

  it('is on air once viewers have it, not when it was ordered', () => {
    const ordered = { ...room().orders, public: 'programme' as const }
    const started = running('a', 0, 45, 0)
    const going = room({ session: started, mediaUp: true, orders: ordered })
    expect(lampOf(going)).toBe('starting')
    expect(lampOf({ ...going, ...live })).toBe('on_air')
    expect(lampOf({ ...going, mediaUp: false })).toBe('no_media')
  })

  it('says on air whatever was ordered, as long as viewers see it', () => {
    const hold = { message: '', since_ms: NINE_MS, until_ms: null }
    expect(lampOf(room({ ...live, hold, word: 'hold' }))).toBe('on_air')
    expect(lampOf(room({ hold, word: 'hold' }))).toBe('hold')
    expect(lampOf(room({ ...live, shows: { public: 'picture_muted' } }))).toBe('picture_only')
  })

  it('knows closed sessions before and while they run, and whether their own audience sees them', () => {
    const closed = running('p', 0, 45, 0, { visibility: 'private', key: 'sesame' })
    const reserved = room({ word: 'reserved', mediaUp: true })
    expect(lampOf(reserved)).toBe('reserved')
    const on = room({ word: 'reserved', session: closed, mediaUp: true, shows: { '~p': 'programme' } })
    expect(lampOf(on)).toBe('private')
    expect(seenByItsOwn(on)).toBe(true)
    expect(seenByItsOwn({ ...on, shows: { '~p': 'slate' } })).toBe(false)
    expect(seenByItsOwn(reserved)).toBe(false)
  })

  it('tells the technician’s slate from a session that is not streamed', () => {
    const on = running('a', 0, 45, 0)
    expect(lampOf(room({ session: on, mediaUp: true, slate: true, word: 'paused' }))).toBe('slate')
    expect(lampOf(room({ session: on, mediaUp: true, word: 'not_streamed' }))).toBe('not_streamed')
  })
})

describe('what goes on air without a plan', () => {
  it('is offered while something comes in, nothing runs and nothing is planned for the day', () => {
    const preview = room({ mediaUp: true, word: 'free' })
    expect(mayGoOnAir(preview, NINE_MS)).toBe(true)
    expect(mayGoOnAir({ ...preview, mediaUp: false }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, session: running('a', 0, 45, 0) }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, next: session('b', 60, 90) }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, next: session('b', 721, 780) }, NINE_MS)).toBe(true)
    expect(mayGoOnAir({ ...preview, word: 'reserved' }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, hold: { message: '', since_ms: NINE_MS, until_ms: null } }, NINE_MS)).toBe(false)
  })
})

describe('whether it is recorded', () => {
  const on = running('a', 0, 45, 0)
  const unrecorded = { ...room().orders, record: false }

  it('follows the orders and the media', () => {
    expect(recOf(room())).toBe('idle')
    expect(recOf(room({ session: on, mediaUp: true }))).toBe('recording')
    expect(recOf(room({ session: on }))).toBe('waiting')
    expect(recOf(room({ session: on, mediaUp: true, orders: unrecorded }))).toBe('not_recorded')
  })

  it('is told before an unrecorded session begins', () => {
    const armed = session('b', 0, 45, { state: 'armed' })
    expect(recOf(room({ next: armed, orders: unrecorded }))).toBe('not_recorded')
  })

  it('is no recording when the disk does not take it', () => {
    const alarm = { id: 'd', code: 'disk_full' } as Alarm
    expect(recOf(room({ session: on, mediaUp: true, alarms: [alarm] }))).toBe('failing')
  })
})
