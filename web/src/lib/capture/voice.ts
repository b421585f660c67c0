/** Whether somebody speaks, by the ups and downs of one input's level. Pure. */

const WINDOW_MS = 1000
/** Syllables stand out of the noise by this much. */
const OVER_NOISE_DB = 12
const LEAST_DB = -55
/** Noise that grows is learnt this fast. */
const RISE_DB_PER_S = 1.5
/** Speech is neither a single knock nor a steady tone. */
const LEAST_SHARE = 0.15
const MOST_SHARE = 0.95

/** Watches one input's peaks, some twenty times a second. */
export class VoiceWatch {
  private noiseDb: number | null = null
  private readonly levels: { db: number; atMs: number }[] = []

  /** @param db the peak since the call before, dBFS */
  take(db: number, nowMs: number): void {
    const last = this.levels.at(-1)
    const seconds = last ? Math.min(1, Math.max(0, nowMs - last.atMs) / 1000) : 0
    this.noiseDb = this.noiseDb === null ? db : Math.min(db, this.noiseDb + RISE_DB_PER_S * seconds)
    this.levels.push({ db, atMs: nowMs })
    while (this.levels[0] && nowMs - this.levels[0].atMs > WINDOW_MS) this.levels.shift()
  }

  /** The highest peak of the last second; null without one. */
  get peakDb(): number | null {
    return this.levels.length === 0 ? null : Math.max(...this.levels.map(({ db }) => db))
  }

  get voice(): boolean {
    const threshold = Math.max(LEAST_DB, (this.noiseDb ?? 0) + OVER_NOISE_DB)
    const share = this.levels.filter(({ db }) => db >= threshold).length / Math.max(1, this.levels.length)
    return share >= LEAST_SHARE && share <= MOST_SHARE
  }

  reset(): void {
    this.noiseDb = null
    this.levels.length = 0
  }
}
