/** The state that a reload brings back: devices, scene, presets, and whether the page was on air. Pure over a storage. */

import type { PictureSize, SoundPreset } from '$lib/capture/presets'
import { CORNERS, SCENES, type Corner, type Scene } from '$lib/compositor/geometry'
import type { KeyStore } from '$lib/access'

export interface StudioSettings {
  cameraId: string
  microphoneId: string
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

/** How long after its last sign of life a page may go on air by itself: a reload or a crash, not the next morning. */
export const RESUME_WITHIN_MS = 10 * 60_000

export interface AirMark {
  /** When the publication first went live, ms since the epoch. */
  since: number
  /** Last sign of life. */
  at: number
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

/** The mark of a page that was on air a moment ago, else null. */
export function wasOnAir(store: KeyStore, room: string, nowMs: number): AirMark | null {
  const { since, at } = readObject(store, `${key(room)}.air`)
  if (typeof since !== 'number' || typeof at !== 'number') return null
  const age = nowMs - at
  return age >= 0 && age <= RESUME_WITHIN_MS ? { since, at } : null
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
