/** The wall of all rooms: how old a room's data is, what its meters say, which picture comes in, and what keys mean. Pure. */

import { enumOr, listOf, readNumberOrNull, readRecord } from '$lib/api/read'
import type { JsonObject } from '$lib/api/types'
import { isTyping } from '$lib/typing'
import type { CrewRoom } from './crew-room'
import { type LineName, LINES, type Readiness } from './rehearsal.svelte'
import type { RoomInfo } from './room'

/** Data that is older is shown grey, never green. */
export const STALE_MS = 3_000

/** One pulse of a room (`streamer/realtime/pulse.py`). */
export interface RoomPulse {
  /** Local, monotonic ms. */
  heard_ms: number
  /** Of the server's own knowledge then; 0 where the room is off. */
  age_ms: number
  viewers: number
  readiness: AtAGlance | null
}

/** Whether a room is ready for its next session; null where none is due and nothing comes in. */
export interface AtAGlance {
  state: 'running' | Readiness['state']
  /** The lines that keep it from being ready. */
  missing: readonly LineName[]
}

const readState = enumOr(['running', 'ready', 'not_ready', 'not_yet'], null)

export function readAtAGlance(data: JsonObject): AtAGlance | null {
  const state = readState(data['readiness'])
  return state && { state, missing: listOf(enumOr(LINES, null))(data['missing']) ?? [] }
}

/**
 * The age of what is shown of a room, ms; infinite where nothing was ever heard.
 * @param asked_ms since when an answer about the rooms has been outstanding; null: none is
 */
export function ageOf(pulse: RoomPulse | undefined, asked_ms: number | null, now_ms: number): number {
  if (!pulse) return Number.POSITIVE_INFINITY
  return Math.max(now_ms - pulse.heard_ms + pulse.age_ms, asked_ms === null ? 0 : now_ms - asked_ms)
}

export interface Sound {
  /** Loudness of the last three seconds, LUFS. */
  loudness: number
  /** The highest sample of the last tenth of a second, dBTP. */
  peak: number
}

export type Band = 'none' | 'silent' | 'quiet' | 'good' | 'loud'

/** The scale of the wall's meters, dB: what is below is nothing. */
export const METER_LOWEST_DB = -60
/** Voices between these are neither quiet nor loud, LUFS (as the room process judges them). */
export const QUIET_LUFS = -30
export const LOUD_LUFS = -14
const SILENT_LUFS = -50

/** Of a room's `meters`; null where it has no sound's. */
export function readSound(meters: unknown): Sound | null {
  const sound = readRecord(readRecord(meters)['sound'])
  const loudness = readNumberOrNull(sound['short_term'])
  return loudness === null ? null : { loudness, peak: readNumberOrNull(sound['true_peak']) ?? loudness }
}

export function bandOf(sound: Sound | null): Band {
  if (sound === null) return 'none'
  if (sound.loudness < SILENT_LUFS) return 'silent'
  if (sound.loudness < QUIET_LUFS) return 'quiet'
  return sound.loudness > LOUD_LUFS ? 'loud' : 'good'
}

/** 0 to 1 of a meter's length. */
export const shareOf = (db: number): number => Math.min(1, Math.max(0, 1 - db / METER_LOWEST_DB))

/** True where the public sees more of the room than its slate. */
export const goesOut = (room: Pick<RoomInfo, 'state'>, crew: CrewRoom): boolean =>
  room.state === 'live' && crew.shows['public'] !== 'slate'

/** The source of which a picture comes in that is not what goes out; null: there is none. */
export function incomingOf(room: Pick<RoomInfo, 'sources' | 'state' | 'onProgramme'>, crew: CrewRoom): string | null {
  const up = Object.entries(room.sources)
    .filter(([, source]) => source.up)
    .map(([name]) => name)
  const out = goesOut(room, crew) ? room.onProgramme : null
  const wanted = [crew.orders.source ?? 'main', 'spare']
  const order = [...wanted, ...up.filter((name) => !wanted.includes(name)).sort()]
  return order.find((name) => up.includes(name) && name !== out) ?? null
}

export type WallKey =
  | { kind: 'select'; index: number }
  | { kind: 'move'; by: 1 | -1 }
  | { kind: 'open' | 'listen' | 'listen_in' | 'end' | 'clear' | 'help' }
  | { kind: 'type'; sign: string }

type KeyPress = Pick<
  KeyboardEvent,
  'key' | 'code' | 'repeat' | 'shiftKey' | 'altKey' | 'ctrlKey' | 'metaKey' | 'target'
>

/** Enter and space are theirs. */
const PRESSABLE = new Set(['A', 'BUTTON', 'SUMMARY'])

/** Null for keys that mean nothing here, or that belong to what has the focus. */
export function wallKey(press: KeyPress): WallKey | null {
  if (press.altKey || press.ctrlKey || press.metaKey) return null
  if (isTyping(press.target, 'radio')) return null
  const tag = (press.target as { tagName?: string } | null)?.tagName ?? ''
  if (press.key === 'ArrowDown' || press.key === 'ArrowUp') {
    return tag === 'INPUT' ? null : { kind: 'move', by: press.key === 'ArrowDown' ? 1 : -1 }
  }
  if (press.repeat) return null
  // By place as well: the upper row of a French keyboard gives digits only with shift.
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(press.code)?.[1] ?? (/^\d$/.test(press.key) ? press.key : undefined)
  if (digit !== undefined) return { kind: 'select', index: (Number(digit) + 9) % 10 }
  switch (press.key) {
    case 'Enter':
      return PRESSABLE.has(tag) ? null : { kind: 'open' }
    case ' ':
      return PRESSABLE.has(tag) ? null : { kind: press.shiftKey ? 'listen_in' : 'listen' }
    case 'End':
      return { kind: 'end' }
    case 'Escape':
      return { kind: 'clear' }
    case '?':
      return { kind: 'help' }
  }
  return /^\p{L}$/u.test(press.key) ? { kind: 'type', sign: press.key } : null
}

/** Letters typed within this belong to one name. */
const TYPE_MS = 1_500
const plain = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

/** Selects a room by letters of its name, as a list of files does. */
export class TypeAhead {
  private typed = ''
  private at_ms = 0

  /** The room that is meant; null where no name has these letters. */
  type(sign: string, rooms: readonly { id: string; name: string }[], now_ms: number): string | null {
    this.typed = now_ms - this.at_ms > TYPE_MS ? '' : this.typed
    this.at_ms = now_ms
    this.typed += plain(sign)
    const words = (name: string) => plain(name).split(/[^\p{L}\p{N}]+/u)
    const starts = rooms.find(({ name }) => plain(name).startsWith(this.typed))
    return (starts ?? rooms.find(({ name }) => words(name).some((word) => word.startsWith(this.typed))))?.id ?? null
  }
}

/** *End* ends only by a second press on the same room within this. */
const ARMED_MS = 4_000

export class SecondPress {
  private armed: { room: string; session: string; at_ms: number } | null = null

  /** Whether this press is the second one. */
  press(room: string, session: string, now_ms: number): boolean {
    const done = this.isArmed(room, session, now_ms)
    this.armed = done ? null : { room, session, at_ms: now_ms }
    return done
  }

  isArmed(room: string, session: string, now_ms: number): boolean {
    const { armed } = this
    return armed !== null && armed.room === room && armed.session === session && now_ms - armed.at_ms <= ARMED_MS
  }

  forget(): void {
    this.armed = null
  }
}
