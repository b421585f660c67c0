/** The crew’s settings of each source (`SourceCrewView` of `streamer/api/room_models.py`). Pure. */

import { enumOr, readNumber, readNumberOrNull, readRecord, readYes, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import type { SourceInfo } from './room'

/** The range of the slider; the server takes less and no more. */
export const GAIN_DB = { least: -30, most: 20 } as const
export const FINEST_DB = 0.5

const readSettings = shape<Schema['SourceCrewView']>()(({ field }) => ({
  up: field('up', readYes),
  gainDb: field('gain_db', readNumber),
  mute: field('mute', readYes),
  mono: field('mono', readYes),
  kind: field('kind', enumOr(['camera', 'slides', 'mixed'], null)),
}))

export interface SourceSettings {
  name: string
  up: boolean
  gainDb: number
  mute: boolean
  mono: boolean
  kind: Schema['SourceKind'] | null
}

/** `main` first, there or not; then the others by name. */
export function settingsOf(sources: Readonly<Record<string, SourceInfo>>): SourceSettings[] {
  const names = Object.keys(sources).filter((name) => name !== 'main')
  return ['main', ...names.sort()].flatMap((name) => {
    const read = readSettings(sources[name] ?? {})
    return read ? [{ name, ...read }] : []
  })
}

/** The part of the programme’s meters that goes out. */
export interface ProgrammeSound {
  /** Of the last 400 ms. */
  lufs: number
  peakDb: number
  /** The same of its source before it is changed; null where it is not. */
  incomingLufs: number | null
}

const readSound = shape<{ momentary: number; true_peak: number }>()(({ needed }) => ({
  lufs: needed('momentary', readNumberOrNull),
  peakDb: needed('true_peak', readNumberOrNull),
}))

/** Of the `meters` that the room sends four times a second. */
export function readProgrammeSound(meters: unknown): ProgrammeSound | null {
  const { sound, incoming } = readRecord(meters)
  const read = readSound(sound)
  return read && { ...read, incomingLufs: readSound(incoming)?.lufs ?? null }
}
