/** The basis of a cut: the waveform, the silences that are offered, what a preview shows. Media times are UTC ms. Pure. */
import { listOf, type Read, readNumber, readNumberOrNull, readText, readYes, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { type Cut, readSkip, type Skip } from './recordings'

/** As many stretches as a cut may leave out. */
const MOST_SKIPS = 100
/** The rest of an offered silence where a cut has a part of it. */
const LEAST_OFFER_MS = 3000

/** A byte a bin: 255 is full scale, each step less a quarter of a dB, 1 silence; 0: nothing is recorded. */
function readPeaks(value: unknown): Uint8Array {
  try {
    return Uint8Array.from(atob(readText(value)), (sign) => sign.charCodeAt(0))
  } catch {
    return new Uint8Array()
  }
}

export type Waveform = Read<typeof readWaveform>
export const readWaveform = shape<Schema['WaveformView']>()(({ field, needed }) => ({
  from_ms: needed('from_ms', readNumberOrNull),
  bin_ms: field('bin_ms', (value) => readNumber(value) || 40),
  peaks: field('peaks', readPeaks),
  complete: field('complete', readYes),
  silences: field('silences', listOf(readSkip)),
  keys_ms: field('key_frames_ms', listOf(readNumberOrNull)),
}))

export interface Mark {
  at_ms: number
  label: string
}

/** Chapters of a session's timeline. */
export const readChapters = listOf(
  shape<Schema['ChapterItem']>()(({ field, needed }) => ({
    at_ms: needed('media_at', readNumberOrNull),
    label: field('label', readText),
  })),
)

/** A stretch of the material, from left to right on the screen. */
export interface View {
  from_ms: number
  to_ms: number
}

/** A bin that is this much below full scale has no height. */
const DEPTH_DB = 54

/** A bin's height, 0 to 1: loudness as people hear it, so that quiet speech is seen too. */
export const heightOf = (byte: number): number => (byte <= 1 ? 0 : Math.max(0, 1 + (byte - 255) / 4 / DEPTH_DB))

/** The height of each of `count` columns of a view: the loudest of its bins. Null: nothing is recorded there. */
export function columns({ from_ms, bin_ms, peaks }: Waveform, view: View, count: number): (number | null)[] {
  const width_ms = (view.to_ms - view.from_ms) / count
  return Array.from({ length: count }, (_, column) => {
    const begin = Math.floor((view.from_ms + column * width_ms - from_ms) / bin_ms)
    const end = Math.max(begin + 1, Math.floor((view.from_ms + (column + 1) * width_ms - from_ms) / bin_ms))
    let most = 0
    for (let bin = Math.max(0, begin); bin < Math.min(end, peaks.length); bin++) most = Math.max(most, peaks[bin] ?? 0)
    return most === 0 ? null : heightOf(most)
  })
}

/** A view of a length around a moment, inside of the material. */
export function viewAround(at_ms: number, length_ms: number, whole: View): View {
  const length = Math.min(length_ms, whole.to_ms - whole.from_ms)
  const from_ms = Math.min(Math.max(whole.from_ms, at_ms - length / 2), whole.to_ms - length)
  return { from_ms, to_ms: from_ms + length }
}

/** The silences that the cut shows still, the longest first where there are too many to leave out. */
export function offersOf(silences: readonly Skip[], cut: Cut): Skip[] {
  const shown = silences.flatMap((silence) =>
    minus({ from_ms: Math.max(silence.from_ms, cut.start_ms), to_ms: Math.min(silence.to_ms, cut.end_ms) }, cut.skips),
  )
  return shown
    .filter(({ from_ms, to_ms }) => to_ms - from_ms >= LEAST_OFFER_MS)
    .sort((a, b) => b.to_ms - b.from_ms - (a.to_ms - a.from_ms))
    .slice(0, Math.max(0, MOST_SKIPS - cut.skips.length))
    .sort((a, b) => a.from_ms - b.from_ms)
}

function minus(whole: Skip, gaps: readonly Skip[]): Skip[] {
  const left: Skip[] = []
  let at = whole.from_ms
  for (const gap of [...gaps].sort((a, b) => a.from_ms - b.from_ms)) {
    if (gap.from_ms > at) left.push({ from_ms: at, to_ms: Math.min(gap.from_ms, whole.to_ms) })
    at = Math.max(at, gap.to_ms)
  }
  if (at < whole.to_ms) left.push({ from_ms: at, to_ms: whole.to_ms })
  return left.filter(({ from_ms, to_ms }) => to_ms > from_ms)
}

/** The cut without these stretches more. */
export function hidingAll(cut: Cut, more: readonly Skip[]): Cut {
  return { ...cut, skips: [...cut.skips, ...more].sort((a, b) => a.from_ms - b.from_ms || a.to_ms - b.to_ms) }
}

export const totalOf = (skips: readonly Skip[]): number =>
  skips.reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0)

/** Where a preview is when it comes to a moment: there, behind what is left out, or at its end (null). */
export function previewedAt(cut: Cut, at_ms: number): number | null {
  let at = Math.max(at_ms, cut.start_ms)
  for (const { from_ms, to_ms } of [...cut.skips].sort((a, b) => a.from_ms - b.from_ms)) {
    if (at >= from_ms && at < to_ms) at = to_ms
  }
  return at < cut.end_ms ? at : null
}

/** Nearer to a key frame than a frame of sound: it begins there. */
const NEAR_MS = 21

/** The time for which the picture stands still at a cut's beginnings, ms: pictures from before them are in no file, so that the
 * next key frame is shown until its time. */
export function stillOf(cut: Cut, keys_ms: readonly number[]): number {
  return beginningsOf(cut).reduce((sum, at_ms) => {
    const key = keys_ms.find((one) => one >= at_ms - NEAR_MS)
    return sum + (key === undefined || key > cut.end_ms ? 0 : Math.max(0, key - at_ms))
  }, 0)
}

const beginningsOf = ({ start_ms, end_ms, skips }: Cut): number[] => [
  start_ms,
  ...skips.map(({ to_ms }) => to_ms).filter((to_ms) => to_ms > start_ms && to_ms < end_ms),
]

/** The cut with all its beginnings at the next key frames. */
export function atKeyFrames(cut: Cut, keys_ms: readonly number[]): Cut {
  const later = (at_ms: number) => keys_ms.find((key) => key >= at_ms - NEAR_MS) ?? at_ms
  const inside = (at_ms: number) => at_ms < cut.end_ms
  const start_ms = later(cut.start_ms)
  return {
    ...cut,
    start_ms: inside(start_ms) ? start_ms : cut.start_ms,
    skips: cut.skips.map((skip) => {
      const to_ms = later(skip.to_ms)
      return inside(to_ms) ? { ...skip, to_ms } : skip
    }),
  }
}

/** The mark that a moment belongs to. */
export const markAt = (marks: readonly Mark[], at_ms: number): Mark | null =>
  marks.findLast((mark) => mark.at_ms <= at_ms) ?? null

/** The states of a cut that can be gone back to. */
const MOST_STEPS = 200

/** A change more, to be undone. Small steps of one edge are one change. */
export function remembered(history: readonly Cut[], cut: Cut): readonly Cut[] {
  return [...history, cut].slice(-MOST_STEPS)
}
