import { describe, expect, it } from 'vitest'
import {
  atKeyFrames,
  columns,
  heightOf,
  hidingAll,
  markAt,
  offersOf,
  previewedAt,
  readChapters,
  readWaveform,
  remembered,
  stillOf,
  totalOf,
  viewAround,
} from './cutting'
import type { Cut } from './recordings'

const cut: Cut = { start_ms: 1_000, end_ms: 61_000, skips: [{ from_ms: 20_000, to_ms: 25_000 }] }
const silence = (from_ms: number, to_ms: number) => ({ from_ms, to_ms })

describe('a waveform', () => {
  const told = { from_ms: 1000, bin_ms: 40, complete: true, silences: [[5, 9], [9, 5], 'x'] }
  const read = readWaveform({ ...told, peaks: btoa(String.fromCharCode(0, 1, 255, 231, 0, 0)) })!

  it('is read from what the server told, and is empty where that is none', () => {
    expect([...read.peaks]).toEqual([0, 1, 255, 231, 0, 0])
    expect(read.silences).toEqual([{ from_ms: 5, to_ms: 9 }])
    expect(readWaveform({ ...told, peaks: '%%' })?.peaks.length).toBe(0)
    expect(readWaveform({ peaks: '' })).toBeNull()
  })

  it('is drawn by its loudest bins, with holes where nothing is recorded', () => {
    expect(columns(read, { from_ms: 1000, to_ms: 1240 }, 6)).toEqual([null, 0, 1, heightOf(231), null, null])
    expect(columns(read, { from_ms: 1000, to_ms: 1240 }, 2)).toEqual([1, heightOf(231)])
    // Nearer than a bin, and beside what is recorded.
    expect(columns(read, { from_ms: 1080, to_ms: 1120 }, 4)).toEqual([1, 1, 1, 1])
    expect(columns(read, { from_ms: 0, to_ms: 900 }, 3)).toEqual([null, null, null])
    expect([heightOf(255), heightOf(1)]).toEqual([1, 0])
    // -27 dB is half as high: people hear so.
    expect(heightOf(255 - 27 * 4)).toBeCloseTo(0.5)
  })

  it('is seen from near around a moment, never past its ends', () => {
    const whole = { from_ms: 0, to_ms: 100 }
    expect(viewAround(50, 20, whole)).toEqual({ from_ms: 40, to_ms: 60 })
    expect(viewAround(3, 20, whole)).toEqual({ from_ms: 0, to_ms: 20 })
    expect(viewAround(99, 20, whole)).toEqual({ from_ms: 80, to_ms: 100 })
    expect(viewAround(50, 500, whole)).toEqual(whole)
  })
})

describe('silences', () => {
  it('are offered where the cut shows them still', () => {
    expect(offersOf([silence(0, 6_000), silence(18_000, 30_000), silence(40_000, 42_000)], cut)).toEqual([
      { from_ms: 1_000, to_ms: 6_000 },
      { from_ms: 25_000, to_ms: 30_000 },
    ])
  })

  it('are left out with one press, and come back with one', () => {
    const offers = offersOf([silence(30_000, 40_000), silence(5_000, 10_000)], cut)
    const skipped = hidingAll(cut, offers)
    expect(skipped.skips.map(({ from_ms }) => from_ms)).toEqual([5_000, 20_000, 30_000])
    expect(offersOf([silence(30_000, 40_000), silence(5_000, 10_000)], skipped)).toEqual([])
    expect(totalOf(offers)).toBe(15_000)
    expect(remembered([], cut).at(-1)).toBe(cut)
    expect(
      remembered(
        Array.from({ length: 300 }, () => skipped),
        cut,
      ),
    ).toHaveLength(200)
  })

  it('are no more than a cut may leave out: the longest', () => {
    const many = Array.from({ length: 150 }, (_, n) => silence(n * 10_000, n * 10_000 + 4_000 + n))
    const offers = offersOf(many, { start_ms: 0, end_ms: 2_000_000, skips: cut.skips })
    expect(offers).toHaveLength(99)
    expect(offers[0]).toEqual(many[51])
  })
})

describe('a beginning', () => {
  const keys = [0, 2_000, 4_000, 24_000, 26_000, 60_000]

  it('stands still until the next key frame, and not at one', () => {
    expect(stillOf(cut, keys)).toBe(1_000 + 1_000)
    const clean = atKeyFrames(cut, keys)
    expect(clean).toEqual({ start_ms: 2_000, end_ms: 61_000, skips: [{ from_ms: 20_000, to_ms: 26_000 }] })
    expect(stillOf(clean, keys)).toBe(0)
    // A few ms beside one no picture is cut.
    expect(stillOf({ ...cut, start_ms: 2_015, skips: [] }, keys)).toBe(0)
  })

  it('stays where there is no key frame left', () => {
    expect(atKeyFrames({ start_ms: 60_500, end_ms: 61_000, skips: [] }, keys).start_ms).toBe(60_500)
    expect(stillOf(cut, [])).toBe(0)
  })
})

describe('a preview', () => {
  it('begins with the cut, goes on behind what is left out, and ends', () => {
    expect([0, 5_000, 20_000, 24_999, 25_000, 60_999, 61_000].map((at) => previewedAt(cut, at))).toEqual([
      1_000,
      5_000,
      25_000,
      25_000,
      25_000,
      60_999,
      null,
    ])
    const twice = hidingAll(cut, [silence(25_000, 61_000)])
    expect(previewedAt(twice, 21_000)).toBeNull()
  })
})

it('names the chapter that a moment is in', () => {
  const marks = readChapters([{ id: 'a', media_at: 5, label: 'One' }, { id: 'b', media_at: 9, label: 'Two' }, {}])
  expect([4, 5, 8, 9].map((at) => markAt(marks, at)?.label)).toEqual([undefined, 'One', 'One', 'Two'])
})
