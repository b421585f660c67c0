import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { WhipStatus } from '$lib/whip/client'
import { en } from '../locales/en'
import { fr } from '../locales/fr'
import { keepToken, keptToken, type KeyStore } from '$lib/kept-token'
import { readPasted } from '$lib/link-token'
import { readRoom, type RoomInfo, type RoomReading, RoomWatch } from './room'
import { DEFAULTS, loadSettings, markOnAir, mayResume, saveSettings, wasOnAir } from './settings'
import { shortcut } from './shortcuts'
import { elapsed, otherPublisher, SilenceWatch, SourceWatch, tally } from './tally'

class Memory implements KeyStore {
  values = new Map<string, string>()
  getItem = (key: string) => this.values.get(key) ?? null
  setItem = (key: string, value: string) => void this.values.set(key, value)
  removeItem = (key: string) => void this.values.delete(key)
}

const IDLE: WhipStatus = {
  state: 'idle',
  reason: '',
  detail: '',
  liveSinceMs: null,
  interruptedAtMs: null,
  retryAtMs: null,
  reconnections: 0,
}
const ROOM: RoomInfo = {
  id: 'r',
  name: 'R',
  state: 'live',
  sources: { main: { up: true, client: 'OBS-Studio/31.0' } },
  crew: null,
  onProgramme: null,
}

describe('the token', () => {
  it('comes out of a link, a fragment or as it is', () => {
    expect(readPasted(' https://tv.example/studio/b12#token=g1.s3cret ')).toEqual({ token: 'g1.s3cret', room: 'b12' })
    expect(readPasted('#token=g1.s3cret')).toEqual({ token: 'g1.s3cret', room: '' })
    expect(readPasted('g1.s3cret')).toEqual({ token: 'g1.s3cret', room: '' })
    expect(readPasted('https://tv.example/watch/b12')).toBeNull()
    expect(readPasted('hello world')).toBeNull()
  })

  it('is kept per room, and storage that refuses costs nothing', () => {
    const store = new Memory()
    keepToken(store, 'r', 't')
    expect(keptToken(store, 'r')).toBe('t')
    expect(keptToken(store, 'other')).toBe('')
    const refusing = {
      getItem: () => {
        throw new Error()
      },
      setItem: () => {
        throw new Error()
      },
      removeItem: () => undefined,
    }
    keepToken(refusing, 'r', 't')
    expect(keptToken(refusing, 'r')).toBe('')
  })
})

describe('settings', () => {
  it('come back after a reload', () => {
    const store = new Memory()
    saveSettings(store, 'r', { ...DEFAULTS, cameraId: 'c', scene: 'corner', sound: 'music', previewing: true })
    expect(loadSettings(store, 'r')).toMatchObject({ cameraId: 'c', scene: 'corner', sound: 'music', previewing: true })
    expect(loadSettings(store, 'other')).toEqual(DEFAULTS)
  })

  it('fall back field by field where storage holds something else', () => {
    const store = new Memory()
    store.setItem('streamer.studio.r', '{"scene":"quad","corner":"top-left","shortcuts":"yes","camera":false}')
    expect(loadSettings(store, 'r')).toEqual({ ...DEFAULTS, corner: 'top-left', camera: false })
    store.setItem('streamer.studio.r', 'no json')
    expect(loadSettings(store, 'r')).toEqual(DEFAULTS)
  })

  it('take a page on air again after a reload, not the next morning', () => {
    const store = new Memory()
    const mark = { since: 1000, at: 5000, session: 'talk', devices: 'cam mic' }
    markOnAir(store, 'r', mark)
    expect(wasOnAir(store, 'r', 6000)).toEqual(mark)
    expect(wasOnAir(store, 'r', 5000 + 3_600_000)).toEqual(mark)
    expect(wasOnAir(store, 'r', 5000 + 13 * 3_600_000)).toBeNull()
    markOnAir(store, 'r', null)
    expect(wasOnAir(store, 'r', 6000)).toBeNull()
    store.setItem('streamer.studio.r.air', '{"since": 1000, "at": 5000}')
    expect(wasOnAir(store, 'r', 6000)).toEqual({ since: 1000, at: 5000, session: null, devices: '' })
  })

  it('lets a reload send by itself for a minute, in the same session, with the same devices', () => {
    const mark = { since: 1000, at: 5000, session: 'talk', devices: 'cam mic' }
    const now = { at: 65_000, session: 'talk', devices: 'cam mic' }
    expect(mayResume(mark, now)).toBe(true)
    expect(mayResume(mark, { ...now, at: 65_001 })).toBe(false)
    expect(mayResume(mark, { ...now, at: 4_999 })).toBe(false)
    expect(mayResume(mark, { ...now, session: 'next talk' })).toBe(false)
    expect(mayResume(mark, { ...now, session: null })).toBe(false)
    expect(mayResume({ ...mark, session: null }, { ...now, session: null })).toBe(true)
    expect(mayResume(mark, { ...now, devices: 'other mic' })).toBe(false)
  })
})

describe('the tally', () => {
  const inputs = { room: ROOM, source: 'main', previewing: true, nowMs: 100_000 }
  const live: WhipStatus = { ...IDLE, state: 'live', liveSinceMs: 0 }

  it('is standby without devices and preview with them', () => {
    expect(tally({ ...inputs, whip: IDLE, previewing: false })).toBe('standby')
    expect(tally({ ...inputs, whip: IDLE })).toBe('preview')
  })

  it('is on air only when the public output is', () => {
    expect(tally({ ...inputs, whip: live })).toBe('on_air')
    expect(tally({ ...inputs, whip: live, room: { ...ROOM, state: 'slate' } })).toBe('sending')
    expect(tally({ ...inputs, whip: live, room: { ...ROOM, onProgramme: 'spare' } })).toBe('sending')
    expect(tally({ ...inputs, whip: { ...live, liveSinceMs: 99_000 }, room: { ...ROOM, state: 'off' } })).toBe(
      'connecting',
    )
  })

  it('tells a first connection from one that was lost', () => {
    expect(tally({ ...inputs, whip: { ...IDLE, state: 'reconnecting' } })).toBe('connecting')
    expect(tally({ ...inputs, whip: { ...live, state: 'reconnecting' } })).toBe('reconnecting')
    expect(tally({ ...inputs, whip: { ...live, state: 'offering' } })).toBe('reconnecting')
  })

  it('names another publisher while we are not one', () => {
    expect(otherPublisher(ROOM, 'main', IDLE)).toBe('OBS 31')
    expect(otherPublisher(ROOM, 'main', live)).toBe('')
    expect(otherPublisher({ ...ROOM, sources: { main: { up: false } } }, 'main', IDLE)).toBe('')
  })

  it('counts the time on air', () => {
    expect(elapsed(0)).toBe('00:00')
    expect(elapsed(754_900)).toBe('12:34')
    expect(elapsed(3_723_000)).toBe('1:02:03')
  })
})

describe('a source that the server has lost', () => {
  it('is given up after two seconds down, not at the first look', () => {
    const watch = new SourceWatch(2000, 8000)
    expect(watch.lost(true, 0)).toBe(false)
    expect(watch.lost(false, 1500)).toBe(false)
    expect(watch.lost(false, 3500)).toBe(true)
  })

  it('has longer to come up at all', () => {
    const watch = new SourceWatch(2000, 8000)
    expect(watch.lost(false, 0)).toBe(false)
    expect(watch.lost(false, 7900)).toBe(false)
    expect(watch.lost(false, 8000)).toBe(true)
  })
})

describe('a server that went silent', () => {
  it('is given up at once where its own readings agree', () => {
    const watch = new SilenceWatch()
    watch.reset(0)
    watch.read(5000, 100)
    watch.read(5000, 2100)
    expect(watch.gone(1900, 2100)).toBe(false)
    expect(watch.gone(2000, 2100)).toBe(true)
  })

  it('has twice as long while it still counts packets, or says nothing', () => {
    const watch = new SilenceWatch()
    watch.reset(0)
    expect(watch.gone(3000, 3000)).toBe(false)
    watch.read(5000, 100)
    watch.read(7000, 2900)
    expect(watch.gone(3000, 3000)).toBe(false)
    expect(watch.gone(4000, 3000)).toBe(true)
  })
})

describe('the room', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is read leniently', () => {
    expect(readRoom({ id: 'r', state: 'slate', sources: {}, more: 1 })).toMatchObject({ name: 'r', crew: null })
    expect(readRoom({ id: 'r', state: 'of_a_newer_server' })).toMatchObject({ state: 'off' })
    expect(readRoom({ id: 'r' })).toBeNull()
    expect(readRoom(null)).toBeNull()
  })

  it('is polled, kept in sight while the server is away, and asked less often', async () => {
    const states: RoomReading[] = []
    let answer = (): Response => Response.json(ROOM)
    let asked = 0
    const watch = new RoomWatch(
      {
        fetch: async () => {
          asked++
          return answer()
        },
        setTimeout: (run, ms) => setTimeout(run, ms),
        clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
        now: () => Date.now(),
      },
      '/api/v1/rooms/r',
      't',
      (state) => states.push(state),
      1500,
    )
    watch.begin(readRoom(ROOM)!)
    expect(states).toMatchObject([{ problem: '', info: { id: ROOM.id } }])
    watch.start()
    await vi.advanceTimersByTimeAsync(1600)
    expect(asked).toBe(2)
    expect(states.at(-1)).toMatchObject({ problem: '', info: { state: 'live' } })
    answer = () => new Response('', { status: 502 })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(states.at(-1)).toMatchObject({ problem: 'unreachable', info: { state: 'live' } })
    expect(asked).toBeLessThan(6)
    answer = () => new Response('', { status: 401 })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(states.at(-1)?.problem).toBe('unauthorized')
    watch.stop()
    const before = asked
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toBe(before)
  })
})

describe('shortcuts', () => {
  const press = (key: string, code = '', more: object = {}) =>
    shortcut({ key, code, repeat: false, altKey: false, ctrlKey: false, metaKey: false, target: null, ...more })

  it('choose scenes by digit, on a French keyboard without shift too', () => {
    expect(press('1', 'Digit1')).toBe(0)
    expect(press('&', 'Digit1')).toBe(0)
    expect(press('4', 'Numpad4')).toBe(3)
    expect(press('5', 'Digit5')).toBeNull()
  })

  it('stay out of the way of typing, modifiers and held keys', () => {
    expect(press('m')).toBe('mute')
    expect(press('m', '', { ctrlKey: true })).toBeNull()
    expect(press('m', '', { repeat: true })).toBeNull()
    expect(press('m', '', { target: { tagName: 'INPUT', type: 'text' } })).toBeNull()
    expect(press('m', '', { target: { tagName: 'SELECT' } })).toBeNull()
    expect(press('m', '', { target: { tagName: 'INPUT', type: 'radio' } })).toBe('mute')
  })
})

describe('the two languages', () => {
  it('have the same placeholders in every message', () => {
    const names = (message: unknown) =>
      [...JSON.stringify(message).matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(new Set(names(fr[key])), key).toEqual(new Set(names(en[key])))
    }
  })
})
