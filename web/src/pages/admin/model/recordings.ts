/** Recordings, their cuts, and what is to go (`streamer/api/recordings.py`). Media times are UTC ms. Pure. */
import {
  listOf,
  openEnum,
  type Read,
  readNumber,
  readNumberOrNull,
  readText,
  readTextOrNull,
  readTexts,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export interface Skip {
  from_ms: number
  to_ms: number
}

export function readSkip(pair: unknown): Skip | null {
  const [from_ms, to_ms] = Array.isArray(pair) ? pair.map(readNumberOrNull) : []
  return from_ms == null || to_ms == null || to_ms <= from_ms ? null : { from_ms, to_ms }
}

export type Edition = Read<typeof readEdition>
const readEdition = shape<Schema['EditionView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  start_ms: needed('start_ms', readNumberOrNull),
  end_ms: field('end_ms', readNumberOrNull),
  skips: field('skips', listOf(readSkip)),
  created_ms: field('created', readTime),
  /** Null: the current one. */
  replaced_ms: field('replaced', readTime),
  /** As it was recorded; null: not measured yet, or silence. */
  loudness_lufs: field('loudness_lufs', readNumberOrNull),
  levelled: field('levelled', readYes),
}))

const readTold = shape<Schema['RecordingCrewView']>()(({ field, needed }) => ({
  session: needed('session', readTextOrNull),
  room: field('room', readText),
  title: field('title', readTextOrNull),
  speakers: field('speakers', readTexts),
  event: field('event', readTextOrNull),
  state: needed('state', openEnum<Schema['RecordingState']>()),
  published: field('published', readYes),
  start_ms: needed('start_ms', readNumberOrNull),
  /** Null while the session is on air. */
  end_ms: field('end_ms', readNumberOrNull),
  replayUrl: field('replay_url', readTextOrNull),
  downloadUrl: field('download_url', readTextOrNull),
  bytes: field('bytes', readNumber),
  pinned: field('pinned', readYes),
  reviewed: field('reviewed', readYes),
  /** Between these a cut may lie. */
  materialFrom_ms: needed('material_from_ms', readNumberOrNull),
  materialTo_ms: field('material_to_ms', readNumberOrNull),
  editions: field('editions', listOf(readEdition)),
  /** Of the present cut, where its speaker is asked. */
  approval: field('approval', (value) =>
    value === 'asked' || value === 'approved' || value === 'change_wanted' ? value : null,
  ),
  /** Plays all of the material; null while it grows. */
  materialUrl: field('material_url', readTextOrNull),
}))

/** Null for what is told to everybody only: without its files there is nothing to do with it here. */
export function readRecording(body: unknown) {
  const told = readTold(body)
  return told && { ...told, title: told.title ?? told.session }
}
export type Recording = NonNullable<ReturnType<typeof readRecording>>

export const currentOf = (recording: Recording): Edition | null =>
  recording.editions.findLast(({ replaced_ms }) => replaced_ms === null) ?? null

// --- cuts -------------------------------------------------------------------------------------------

export interface Cut {
  start_ms: number
  end_ms: number
  skips: readonly Skip[]
}

/** The cut that the current edition has; null while there is none to move. */
export function cutOf(recording: Recording): Cut | null {
  const current = currentOf(recording)
  if (recording.state !== 'ready' || current === null || current.end_ms === null) return null
  return { start_ms: current.start_ms, end_ms: current.end_ms, skips: current.skips }
}

const SHORTEST_MS = 1000

/** An edge moved as far as the material and the other edge let it. */
export function moved(cut: Cut, edge: 'start' | 'end', to_ms: number, from_ms: number, until_ms: number): Cut {
  if (edge === 'start') return { ...cut, start_ms: clamp(to_ms, from_ms, cut.end_ms - SHORTEST_MS) }
  return { ...cut, end_ms: clamp(to_ms, cut.start_ms + SHORTEST_MS, until_ms) }
}

/** A picture's time, and those of the pictures beside it. */
export interface Still {
  /** The time that it was asked for. */
  asked_ms: number
  at_ms: number
  before_ms: number | null
  after_ms: number | null
}

const USUAL_FRAME_MS = 40

/**
 * Where an edge is after a step of one frame. Whoever presses faster than pictures come goes on by the length of the last.
 *
 * @param still at the edge; of an end, the last picture before it
 */
export function stepped(edge: 'start' | 'end', at_ms: number, by: 1 | -1, still: Still | null): number {
  if (still === null) return at_ms + by * USUAL_FRAME_MS
  const { before_ms, after_ms } = still
  const length =
    after_ms !== null ? after_ms - still.at_ms : before_ms !== null ? still.at_ms - before_ms : USUAL_FRAME_MS
  if (still.asked_ms !== (edge === 'start' ? at_ms : at_ms - 1)) return at_ms + by * length
  if (edge === 'start') return (by > 0 ? after_ms : before_ms) ?? at_ms + by * length
  // The end lies behind the last picture: one less ends where that begins.
  if (by < 0) return still.at_ms
  return after_ms !== null && after_ms > at_ms ? after_ms : at_ms + length
}

const clamp = (value: number, least: number, most: number) => Math.round(Math.min(most, Math.max(least, value)))

/** The cut without a stretch more; one that is left out already is not left out twice. */
export function hiding(cut: Cut, skip: Skip): Cut {
  if (cut.skips.some(({ from_ms, to_ms }) => from_ms === skip.from_ms && to_ms === skip.to_ms)) return cut
  return { ...cut, skips: [...cut.skips, skip].sort((a, b) => a.from_ms - b.from_ms || a.to_ms - b.to_ms) }
}

/** The length that viewers of the cut see, in ms. */
export function lengthOf({ start_ms, end_ms, skips }: Cut): number {
  let length = end_ms - start_ms
  let seen = start_ms
  for (const skip of [...skips].sort((a, b) => a.from_ms - b.from_ms)) {
    const from = Math.max(skip.from_ms, seen)
    const to = Math.min(skip.to_ms, end_ms)
    if (to > from) length -= to - from
    seen = Math.max(seen, to)
  }
  return length
}

export const sameCut = (a: Cut, b: Cut): boolean =>
  a.start_ms === b.start_ms &&
  a.end_ms === b.end_ms &&
  a.skips.length === b.skips.length &&
  a.skips.every(({ from_ms, to_ms }, index) => b.skips[index]?.from_ms === from_ms && b.skips[index]?.to_ms === to_ms)

/** The body of a change; fields that stay are left out. */
export function cutBody(cut: Cut, before: Cut): Record<string, unknown> {
  return {
    ...(cut.start_ms !== before.start_ms && { start_ms: cut.start_ms }),
    ...(cut.end_ms !== before.end_ms && { end_ms: cut.end_ms }),
    ...(!sameCut({ ...cut, start_ms: 0, end_ms: 0 }, { ...before, start_ms: 0, end_ms: 0 }) && { skips: cut.skips }),
  }
}

/** Incidents of the past editions that the cut does not hide: they can be hidden again. */
export function shownIncidents(recording: Recording, cut: Cut): Skip[] {
  const known = new Map<string, Skip>()
  for (const edition of recording.editions) {
    for (const skip of edition.skips) known.set(`${skip.from_ms}-${skip.to_ms}`, skip)
  }
  const hidden = (skip: Skip) => cut.skips.some((one) => one.from_ms <= skip.from_ms && one.to_ms >= skip.to_ms)
  return [...known.values()].filter((skip) => !hidden(skip)).sort((a, b) => a.from_ms - b.from_ms)
}

/** A media time on the clock, to the millisecond. `zone` of the venue. */
export function exactTime(at_ms: number, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    timeZone: zone,
  }).format(at_ms)
}

/** A time of day that somebody typed (`9:07:12`, `09:07:12.040`), on the day of `near_ms` in the zone; null for none. */
export function readExact(text: string, near_ms: number, zone: string): number | null {
  const match = /^\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,3}))?)?\s*$/.exec(text)
  if (!match) return null
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
  if (hours > 23 || minutes > 59 || seconds > 59) return null
  const wanted_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + Number((match[4] ?? '0').padEnd(3, '0'))
  const [h = 0, m = 0, s = 0] = exactTime(near_ms, zone).split(':').map(Number)
  const now_ms = Math.round(((h * 60 + m) * 60 + s) * 1000)
  const day_ms = 86_400_000
  // The nearest of the times of day: a session may go past midnight.
  return near_ms + ((((wanted_ms - now_ms + day_ms / 2) % day_ms) + day_ms) % day_ms) - day_ms / 2
}

// --- retention ----------------------------------------------------------------------------------------

const readToBeDeleted = shape<Schema['DoomedView']>()(({ field }) => ({
  session: field('session', readText),
  room: field('room', readText),
  title: field('title', readTextOrNull),
  bytes: field('bytes', readNumber),
  days: field('days', readNumber),
  ended_ms: field('ended', readTime),
}))
const readItem = (body: unknown) => {
  const item = readToBeDeleted(body)
  return item && { ...item, title: item.title ?? item.session }
}
export type ToBeDeleted = NonNullable<ReturnType<typeof readItem>>

const readPlan = shape<Schema['RetentionView']>()(({ field }) => ({
  items: field('items', listOf(readItem)),
  freedBytes: field('freed_bytes', readNumber),
}))
export type RetentionPlan = Read<typeof readPlan>
export const readRetention = (body: unknown): RetentionPlan => readPlan(body) ?? { items: [], freedBytes: 0 }

/** `1.2 GB`: decimal, as disks are sold. */
export function sizeText(bytes: number, locale: string): string {
  const steps = locale === 'fr' ? ['o', 'ko', 'Mo', 'Go', 'To'] : ['B', 'kB', 'MB', 'GB', 'TB']
  const step = Math.min(steps.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** step
  return `${value.toLocaleString(locale, { maximumFractionDigits: value < 10 && step > 0 ? 1 : 0 })} ${steps[step] ?? ''}`
}
