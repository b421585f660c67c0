/** Sound levels in dBFS: peak with hold, mean, silence and clipping. Pure. */

export const LOWEST_DB = -60
/** Quieter than this for `SILENT_AFTER_MS`: a muted or unplugged microphone; a quiet room's noise is louder. */
export const SILENT_DB = -54
export const SILENT_AFTER_MS = 4000
/** Peaks above this distort after encoding. */
export const LOUD_DB = -1.5
const LOUD_FOR_MS = 3000
const HOLD_MS = 1500
/** Fall of the bar and of the held peak after its time, dB per second, as on a studio's meter (IEC 60268-18). */
const FALL_DB_PER_S = 20

/** Between `LOWEST_DB` and 0: a mix of several inputs can pass full scale, what is sent cannot. */
export function decibels(amplitude: number): number {
  return amplitude <= 0.001 ? LOWEST_DB : Math.min(0, Math.max(LOWEST_DB, 20 * Math.log10(amplitude)))
}

/** Largest absolute sample of a block. */
export function peakOf(samples: ArrayLike<number>): number {
  let peak = 0
  for (let i = 0; i < samples.length; i++) {
    const value = Math.abs(samples[i] ?? 0)
    if (value > peak) peak = value
  }
  return peak
}

export interface ChannelLevel {
  /** The bar, dBFS. */
  db: number
  /** The held peak, dBFS. */
  peakDb: number
}

export type LevelHint = '' | 'silent' | 'loud'

interface Channel extends ChannelLevel {
  peakAtMs: number
}

export class LevelMeter {
  private channels: Channel[] = []
  private lastMs: number | null = null
  private heardAtMs: number | null = null
  private loudUntilMs = -Infinity

  get levels(): readonly ChannelLevel[] {
    return this.channels
  }

  /** `peaks`: the largest amplitude of each channel (0..1) since the call before. */
  take(peaks: readonly number[], nowMs: number): void {
    const seconds = this.lastMs === null ? 0 : Math.max(0, nowMs - this.lastMs) / 1000
    this.lastMs = nowMs
    this.heardAtMs ??= nowMs
    this.channels = peaks.map((peak, index) => {
      const db = decibels(peak)
      const before = this.channels[index]
      if (db >= LOUD_DB) this.loudUntilMs = nowMs + LOUD_FOR_MS
      if (db > SILENT_DB) this.heardAtMs = nowMs
      if (!before) return { db, peakDb: db, peakAtMs: nowMs }
      const fallen = Math.max(db, LOWEST_DB, before.db - FALL_DB_PER_S * seconds)
      if (db >= before.peakDb) return { db: fallen, peakDb: db, peakAtMs: nowMs }
      const held = nowMs - before.peakAtMs <= HOLD_MS
      return {
        db: fallen,
        peakDb: held ? before.peakDb : Math.max(fallen, before.peakDb - FALL_DB_PER_S * seconds),
        peakAtMs: before.peakAtMs,
      }
    })
  }

  hint(nowMs: number): LevelHint {
    if (nowMs < this.loudUntilMs) return 'loud'
    if (this.heardAtMs !== null && nowMs - this.heardAtMs >= SILENT_AFTER_MS) return 'silent'
    return ''
  }

  reset(): void {
    this.channels = []
    this.lastMs = this.heardAtMs = null
    this.loudUntilMs = -Infinity
  }
}

/** Position on a scale from `LOWEST_DB` (0) to 0 dBFS (1); the upper half of the scale is where speech lives. */
export function scale(db: number): number {
  const share = (Math.max(LOWEST_DB, Math.min(0, db)) - LOWEST_DB) / -LOWEST_DB
  return share ** 1.6
}
