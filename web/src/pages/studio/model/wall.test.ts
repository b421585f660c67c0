import { describe, expect, it } from 'vitest'
import { room } from './samples'
import { Shelf } from './shelf'
import {
  ageOf,
  bandOf,
  incomingOf,
  readAtAGlance,
  readSound,
  SecondPress,
  shareOf,
  STALE_MS,
  TypeAhead,
  wallKey,
} from './wall'

describe('the age of what is shown of a room', () => {
  const pulse = { heard_ms: 10_000, age_ms: 200, viewers: 3, readiness: null }
  it('is that of the pulse and of what the server knew', () => {
    expect(ageOf(pulse, null, 11_000)).toBe(1_200)
    expect(ageOf({ ...pulse, age_ms: 5_000 }, null, 10_100)).toBeGreaterThan(STALE_MS)
  })
  it('grows while an answer is outstanding, though pulses go on', () => {
    expect(ageOf(pulse, 4_000, 10_100)).toBe(6_100)
  })
  it('is infinite before the first pulse', () => expect(ageOf(undefined, null, 1)).toBe(Infinity))
})

describe('readiness at a glance', () => {
  it('has what is missing, as far as this page knows the lines', () => {
    expect(readAtAGlance({ readiness: 'not_ready', missing: ['level', 'of_a_newer_server'] })).toEqual({
      state: 'not_ready',
      missing: ['level'],
    })
    expect(readAtAGlance({ readiness: 'running', missing: [] })).toEqual({ state: 'running', missing: [] })
  })
  it('is nothing where no session is due, and where the server is older', () => {
    expect(readAtAGlance({ readiness: null, missing: [] })).toBeNull()
    expect(readAtAGlance({})).toBeNull()
  })
})

describe('meters', () => {
  const heard = (short_term: number) => readSound({ sound: { short_term, true_peak: -3 } })
  it('say in which band voices are', () => {
    expect([-70, -35, -23, -10].map((lufs) => bandOf(heard(lufs)))).toEqual(['silent', 'quiet', 'good', 'loud'])
    expect(bandOf(readSound({ picture: {} }))).toBe('none')
    expect(bandOf(readSound(null))).toBe('none')
  })
  it('have a length', () => expect([-60, -30, 0, 3, -120].map(shareOf)).toEqual([0, 0.5, 1, 1, 0]))
})

describe('the picture that comes in', () => {
  const up = { up: true } as never
  const told = (more: object) => ({ state: 'slate' as const, sources: {}, onProgramme: 'slate', ...more })
  it('is shown where it is not what goes out', () => {
    const sources = { main: up, side: up }
    expect(incomingOf(told({ sources }), room())).toBe('main')
    const live = told({ sources: { main: up }, state: 'live', onProgramme: 'main' })
    expect(incomingOf(live, room({ shows: { public: 'programme' } }))).toBeNull()
    const other = told({ sources, state: 'live', onProgramme: 'main' })
    expect(incomingOf(other, room({ shows: { public: 'programme' } }))).toBe('side')
    expect(incomingOf(told({ sources: { main: { up: false } as never, spare: up } }), room())).toBe('spare')
    expect(incomingOf(told({}), room())).toBeNull()
  })
  it('is that of the source that was taken', () => {
    const taken = room({ orders: { ...room().orders, source: 'side' } })
    expect(incomingOf(told({ sources: { main: up, side: up } }), taken)).toBe('side')
  })
})

const press = (key: string, more: object = {}) =>
  wallKey({
    key,
    code: '',
    repeat: false,
    shiftKey: false,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    target: null,
    ...more,
  })
const on = (tagName: string, type = '') => ({ target: { tagName, type } as unknown as EventTarget })

describe('keys', () => {
  it('1 to 0 select the first ten rooms, on a French keyboard too', () => {
    expect(press('1')).toEqual({ kind: 'select', index: 0 })
    expect(press('à', { code: 'Digit0' })).toEqual({ kind: 'select', index: 9 })
  })
  it('Enter opens, Space listens to what goes out, with shift to what comes in', () => {
    expect(press('Enter')).toEqual({ kind: 'open' })
    expect(press(' ')).toEqual({ kind: 'listen' })
    expect(press(' ', { shiftKey: true })).toEqual({ kind: 'listen_in' })
    expect(press(' ', on('INPUT', 'radio'))).toEqual({ kind: 'listen' })
  })
  it('belong to what has the focus', () => {
    expect(press(' ', on('BUTTON'))).toBeNull()
    expect(press('Enter', on('A'))).toBeNull()
    expect(press('1', on('INPUT', 'text'))).toBeNull()
    expect(press('End', on('TEXTAREA'))).toBeNull()
    expect(press('ArrowDown', on('INPUT', 'radio'))).toBeNull()
  })
  it('held down or with control mean nothing', () => {
    expect(press('End', { repeat: true })).toBeNull()
    expect(press('a', { ctrlKey: true })).toBeNull()
  })
})

describe('a name that is typed', () => {
  const rooms = [
    { id: 'a', name: 'Amphi A' },
    { id: 'e', name: 'Salle Étage' },
    { id: 'h', name: 'Salle haute' },
  ]
  it('selects by its letters, without accents, by any word', () => {
    const typed = new TypeAhead()
    expect(typed.type('s', rooms, 0)).toBe('e')
    const other = new TypeAhead()
    expect([...'ha'].map((sign, at) => other.type(sign, rooms, at))).toEqual(['h', 'h'])
    expect(other.type('E', rooms, 5_000)).toBe('e')
    expect(other.type('z', rooms, 5_100)).toBeNull()
  })
})

describe('End', () => {
  it('wants a second press on the same session within four seconds', () => {
    const end = new SecondPress()
    expect(end.press('a', 's', 0)).toBe(false)
    expect(end.press('b', 't', 1_000)).toBe(false)
    expect(end.press('a', 's', 2_000)).toBe(false)
    expect(end.isArmed('a', 's', 3_000)).toBe(true)
    expect(end.press('a', 's', 6_100)).toBe(false)
    expect(end.press('a', 's', 7_000)).toBe(true)
    expect(end.press('a', 's', 7_100)).toBe(false)
  })
})

describe('the list of troubles', () => {
  it('is in order while nobody touches it, and stands still under a hand', () => {
    const shelf = new Shelf<string>((item) => item)
    const put = (items: string, held: boolean) =>
      shelf
        .put([...items], held)
        .map(({ item, over }) => item + (over ? '-' : ''))
        .join('')
    expect(put('bc', false)).toBe('bc')
    expect(put('abc', true)).toBe('bca')
    expect(put('ac', true)).toBe('b-ca')
    expect(put('xabc', true)).toBe('bcax')
    expect(put('xac', false)).toBe('xac')
  })
})
