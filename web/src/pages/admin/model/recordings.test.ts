import { describe, expect, it } from 'vitest'
import {
  type Cut,
  currentOf,
  cutBody,
  cutOf,
  exactTime,
  hiding,
  lengthOf,
  moved,
  readExact,
  readRecording,
  readRetention,
  shownIncidents,
  sizeText,
  stepped,
} from './recordings'

const PARIS = 'Europe/Paris'
const AT = Date.parse('2026-11-24T08:00:00Z')
const edition = (id: string, more: object = {}) => ({
  id,
  start_ms: AT,
  end_ms: AT + 60_000,
  skips: [],
  created: '2026-11-24T09:00:00Z',
  replaced: null,
  ...more,
})
const BODY = {
  session: 's',
  room: 'a',
  title: 'T',
  speakers: ['A'],
  state: 'ready',
  published: true,
  start_ms: AT,
  end_ms: AT + 60_000,
  replay_url: 'x',
  download_url: 'y',
  bytes: 1e9,
  pinned: false,
  reviewed: false,
  material_from_ms: AT - 30_000,
  material_to_ms: AT + 90_000,
  editions: [edition('old', { replaced: '2026-11-24T09:10:00Z', skips: [[AT + 1000, AT + 2000]] }), edition('new')],
}

function recording(more: object = {}) {
  const read = readRecording({ ...BODY, ...more })
  if (!read) throw new Error('no recording')
  return read
}
const CUT: Cut = { start_ms: AT, end_ms: AT + 60_000, skips: [] }

describe('a recording', () => {
  it('has the cut of its current edition', () => {
    expect(currentOf(recording())?.id).toBe('new')
    expect(cutOf(recording())).toEqual(CUT)
  })

  it('has none to move while it grows, and none without its files', () => {
    expect(cutOf(recording({ state: 'growing', editions: [edition('e', { end_ms: null })] }))).toBeNull()
    expect(cutOf(recording({ state: 'deleted' }))).toBeNull()
    expect(readRecording({ session: 's', state: 'ready', start_ms: AT })).toBeNull()
  })

  it('offers incidents that were shown again', () => {
    const skip = { from_ms: AT + 1000, to_ms: AT + 2000 }
    expect(shownIncidents(recording(), CUT)).toEqual([skip])
    expect(shownIncidents(recording(), { ...CUT, skips: [skip] })).toEqual([])
  })
})

describe('a cut', () => {
  it('moves inside of the material and keeps a second', () => {
    const [from, until] = [AT - 30_000, AT + 90_000]
    expect(moved(CUT, 'start', AT - 99_000, from, until).start_ms).toBe(from)
    expect(moved(CUT, 'start', AT + 99_000, from, until).start_ms).toBe(AT + 59_000)
    expect(moved(CUT, 'end', AT + 99_000, from, until).end_ms).toBe(until)
    expect(moved(CUT, 'end', AT - 1, from, until).end_ms).toBe(AT + 1000)
    expect(moved(CUT, 'start', AT + 40.4, from, until).start_ms).toBe(AT + 40)
  })

  it('steps by the frames that there are', () => {
    const still = { asked_ms: AT + 10, at_ms: AT, before_ms: AT - 33, after_ms: AT + 34 }
    expect(stepped('start', AT + 10, 1, still)).toBe(AT + 34)
    expect(stepped('start', AT + 10, -1, still)).toBe(AT - 33)
    expect(stepped('end', AT + 11, -1, still)).toBe(AT)
    expect(stepped('end', AT + 11, 1, still)).toBe(AT + 34)
    expect(stepped('end', AT + 34, 1, { ...still, asked_ms: AT + 33 })).toBe(AT + 68)
  })

  it('goes on while pictures are on their way, and where there are none', () => {
    const still = { asked_ms: AT, at_ms: AT, before_ms: null, after_ms: AT + 100 }
    expect(stepped('start', AT + 100, 1, still)).toBe(AT + 200)
    expect(stepped('end', AT + 100, -1, still)).toBe(AT)
    expect(stepped('start', AT, -1, null)).toBe(AT - 40)
    expect(stepped('start', AT, -1, { ...still, after_ms: null })).toBe(AT - 40)
  })

  it('is as long as what is left of it', () => {
    const skips = [
      { from_ms: AT + 30_000, to_ms: AT + 40_000 },
      { from_ms: AT + 35_000, to_ms: AT + 45_000 },
      { from_ms: AT - 5000, to_ms: AT + 5000 },
    ]
    expect(lengthOf({ ...CUT, skips })).toBe(40_000)
  })

  it('leaves the same stretch out once, all of them in their order', () => {
    const [early, late] = [
      { from_ms: AT + 1000, to_ms: AT + 2000 },
      { from_ms: AT + 5000, to_ms: AT + 6000 },
    ]
    const once = hiding(hiding(CUT, late), early)
    expect(once.skips).toEqual([early, late])
    expect(hiding(once, { ...late })).toBe(once)
  })

  it('sends what was changed only', () => {
    expect(cutBody(CUT, CUT)).toEqual({})
    expect(cutBody({ ...CUT, start_ms: AT + 40 }, CUT)).toEqual({ start_ms: AT + 40 })
    const skips = [{ from_ms: AT + 1, to_ms: AT + 2 }]
    expect(cutBody({ ...CUT, skips }, CUT)).toEqual({ skips })
    expect(cutBody(CUT, { ...CUT, skips })).toEqual({ skips: [] })
  })
})

describe('exact times', () => {
  it('are written and read to the millisecond', () => {
    expect(exactTime(AT + 40, PARIS)).toBe('09:00:00.040')
    expect(readExact('09:00:00.040', AT + 5000, PARIS)).toBe(AT + 40)
    expect(readExact('9:01', AT, PARIS)).toBe(AT + 60_000)
    expect(readExact('9:00:00,5', AT, PARIS)).toBe(AT + 500)
  })

  it('lie on the nearer day', () => {
    const midnight = Date.parse('2026-11-24T23:00:00Z')
    expect(readExact('00:10:00', midnight - 600_000, PARIS)).toBe(midnight + 600_000)
    expect(readExact('23:50:00', midnight + 600_000, PARIS)).toBe(midnight - 600_000)
  })

  it.each(['', 'x', '25:00', '9:60', '9:00:61', '9'])('are none in “%s”', (text) => {
    expect(readExact(text, AT, PARIS)).toBeNull()
  })
})

it('reads what is to go', () => {
  expect(
    readRetention({
      items: [{ session: 's', room: 'a', title: '', bytes: 5, days: 30, ended: '2026-11-24T08:00:00Z' }],
      freed_bytes: 4,
    }),
  ).toEqual({
    items: [{ session: 's', room: 'a', title: 's', bytes: 5, days: 30, ended_ms: AT }],
    freedBytes: 4,
  })
  expect(readRetention(null).items).toEqual([])
})

it.each([
  [0, 'en', '0 B'],
  [999, 'en', '999 B'],
  [1234, 'en', '1.2 kB'],
  [12_300_000, 'en', '12 MB'],
  [4_560_000_000, 'fr', '4,6 Go'],
])('writes %i bytes in %s as %s', (bytes, locale, text) => expect(sizeText(bytes, locale)).toBe(text))
