/** The state that a reload brings back: devices, scene, presets, and whether the page was on air. Pure over a storage. */

import type { PictureSize, SoundPreset } from '$lib/capture/presets'
import { CORNERS, SCENES, type Corner, type Scene } from '$lib/compositor/geometry'
import type { KeyStore } from '$lib/kept-token'
import { readText, readTextOrNull } from '$lib/api/read'

export interface StudioSettings {
  cameraId: string
  microphoneId: string
  /** The room's microphone, which nobody hears; '' for none. */
  ambientId: string
  /** Whether a camera or microphone is wanted at all. */
  camera: boolean
  microphone: boolean
  sound: SoundPreset
  picture: PictureSize
  scene: Scene
  corner: Corner
  /** Single-key shortcuts (WCAG 2.1.4 wants them to be turned off). */
  shortcuts: boolean
  /** The devices were open when the page was last seen, so that a reload opens them again. */
  previewing: boolean
}

export const DEFAULTS: Readonly<StudioSettings> = {
  cameraId: '',
  microphoneId: '',
  ambientId: '',
  camera: true,
  microphone: true,
  sound: 'speech',
  picture: '1080p',
  scene: 'camera',
  corner: 'bottom-right',
  shortcuts: true,
  previewing: false,
}

const CHOICES = {
  sound: ['speech', 'music'],
  picture: ['1080p', '720p'],
  scene: SCENES,
  corner: CORNERS,
} as const

const key = (room: string) => `streamer.studio.${room}`

/** A field that is unreadable, of another version or out of range falls back to its default. */
export function loadSettings(store: KeyStore, room: string): StudioSettings {
  const found = readObject(store, key(room))
  const settings: Record<string, unknown> = { ...DEFAULTS }
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    const value = found[name]
    if (typeof value !== typeof fallback) continue
    const choices: readonly unknown[] | undefined = CHOICES[name as keyof typeof CHOICES]
    if (choices && !choices.includes(value)) continue
    settings[name] = value
  }
  return settings as unknown as StudioSettings
}

export function saveSettings(store: KeyStore, room: string, settings: StudioSettings): void {
  writeObject(store, key(room), settings)
}

/** The time after its last sign of life in which a page may send by itself: a reload, not the next talk. */
export const RESUME_WITHIN_MS = 60_000
/** The time for which it offers to go on by one press. */
const OFFER_WITHIN_MS = 12 * 3_600_000

/** Left by a page that was sending when it was last seen. */
export interface AirMark {
  /** When the publication first went live, ms since the epoch. */
  since: number
  /** Last sign of life. */
  at: number
  /** Id of the session that was on air; null for none. */
  session: string | null
  /** The devices in use. */
  devices: string
}

/** Whether a page that comes back sends by itself, or asks for a press. */
export function mayResume(mark: AirMark, now: Omit<AirMark, 'since'>): boolean {
  const age = now.at - mark.at
  // Another session's audience has not agreed to this picture; another camera may look at something else.
  return age >= 0 && age <= RESUME_WITHIN_MS && mark.session === now.session && mark.devices === now.devices
}

export function markOnAir(store: KeyStore, room: string, mark: AirMark | null): void {
  const name = `${key(room)}.air`
  if (mark) writeObject(store, name, mark)
  else {
    try {
      store.removeItem(name)
    } catch {
      // Nothing was kept.
    }
  }
}

/** The mark of a page that was sending when it was left, else null. */
export function wasOnAir(store: KeyStore, room: string, nowMs: number): AirMark | null {
  const { since, at, session, devices } = readObject(store, `${key(room)}.air`)
  if (typeof since !== 'number' || typeof at !== 'number') return null
  if (nowMs < at || nowMs - at > OFFER_WITHIN_MS) return null
  // A mark of an older version names no devices: it does not fit.
  return { since, at, session: readTextOrNull(session), devices: readText(devices) }
}

function readObject(store: KeyStore, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(store.getItem(name) ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function writeObject(store: KeyStore, name: string, value: object): void {
  try {
    store.setItem(name, JSON.stringify(value))
  } catch {
    // Storage that is full or forbidden costs a reload's comfort, not the broadcast.
  }
}
