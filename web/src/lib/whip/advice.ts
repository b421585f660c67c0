/** Advice to the technician about the upload, out of a run of statistics. Pure. */

import type { OutgoingStats } from './stats'

export type UploadAdvice = 'upload_weak' | 'computer_slow' | 'packet_loss'

export interface AdviceLimits {
  /** The picture that is sent now needs about this much, bits per second. */
  neededBitrate: () => number
  /** A state must hold for this long before it is worth a word, ms. */
  holdMs: number
}

/**
 * Watches one report after the other; `advice` are the codes that hold now. A code comes after it has held for `holdMs`
 * and goes after it has been gone for as long, so that a panel does not flicker.
 */
export class UploadWatch {
  private since = new Map<UploadAdvice, number>()
  private gone = new Map<UploadAdvice, number>()
  private shown = new Set<UploadAdvice>()
  private silentSince: number | null = null

  constructor(private readonly limits: AdviceLimits) {}

  get advice(): UploadAdvice[] {
    return [...this.shown]
  }

  /** Ms since the server was last heard of; 0 while it answers. */
  silentMs(nowMs: number): number {
    return this.silentSince === null ? 0 : nowMs - this.silentSince
  }

  reset(): void {
    this.since.clear()
    this.gone.clear()
    this.shown.clear()
    this.silentSince = null
  }

  take(stats: OutgoingStats): void {
    this.silentSince = stats.heardFrom ? null : (this.silentSince ?? stats.atMs)
    const available = stats.availableBitrate
    this.hold(
      'upload_weak',
      stats.limitation === 'bandwidth' || (available !== null && available < this.limits.neededBitrate()),
      stats.atMs,
    )
    this.hold('computer_slow', stats.limitation === 'cpu', stats.atMs)
    this.hold('packet_loss', (stats.loss ?? 0) > 0.02, stats.atMs)
  }

  private hold(code: UploadAdvice, on: boolean, nowMs: number): void {
    const [begin, other] = on ? [this.since, this.gone] : [this.gone, this.since]
    other.delete(code)
    const from = begin.get(code) ?? nowMs
    begin.set(code, from)
    if (nowMs - from < this.limits.holdMs) return
    if (on) this.shown.add(code)
    else this.shown.delete(code)
  }
}
