/** A constant frame grid over a timer that is late at times. Pure. */

/**
 * Frame `n` of the grid is due `n / rate` seconds after the first tick. A late timer skips the frames that it missed
 * (a burst of old pictures helps nobody), and timestamps stay on the grid, so that they never run backwards or drift.
 */
export class FrameGrid {
  private originMs: number | null = null
  private last = -1
  /** Frames of the grid that no picture was made for. */
  skipped = 0

  constructor(readonly rate: number) {}

  /** The timestamp in microseconds of the picture to make at `nowMs`; null when the next one is not due. */
  due(nowMs: number): number | null {
    this.originMs ??= nowMs
    // Timers fire up to a millisecond early.
    const index = Math.floor(((nowMs - this.originMs + 1) * this.rate) / 1000)
    if (index <= this.last) return null
    if (this.last >= 0) this.skipped += index - this.last - 1
    this.last = index
    return Math.round((this.originMs + (index * 1000) / this.rate) * 1000)
  }

  /** Ms until the next frame of the grid. */
  wait(nowMs: number): number {
    if (this.originMs === null) return 0
    return Math.max(0, this.originMs + ((this.last + 1) * 1000) / this.rate - nowMs)
  }
}
