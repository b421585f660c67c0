/** Decides what the player does about playback that does not move. */
export type Remedy =
  | 'none'
  /** Seek to the live edge: the position fell out of the window, or into a hole. */
  | 'jump'
  /** Reset the decoder (hls.js: recoverMediaError). */
  | 'recover'
  /** Build everything anew from the multivariant playlist. */
  | 'reload'

export interface PlaybackSample {
  now_ms: number
  /** The media element's currentTime. */
  position_s: number
  /** Whether the viewer wants it to play (an autoplay that was refused counts as not). */
  wanted: boolean
  /** Seconds of media after the position. */
  ahead_s: number
}

/** Less than this between two samples is a nudge of the engine's, not playback. */
const MOVED_S = 0.1
/** A remedy seeks back by less than this: what is played again up to where it stood still is no progress. */
const AGAIN_S = 2
const STALL_AFTER_MS = 700
const JUMP_AFTER_MS = 4_000
const RECOVER_AFTER_MS = 9_000
const RELOAD_AFTER_MS = 15_000
const SLEEP_GAP_MS = 12_000
/** A stall in the first seconds after a (re)start is the start itself. */
const GRACE_MS = 5_000
const POOR_WINDOW_MS = 60_000
const POOR_STALLS = 3
const POOR_STALLED_MS = 12_000

interface Stall {
  began_ms: number
  lasted_ms: number
}

/**
 * Watches the position from outside: whatever the cause, playback that is wanted and does not move is repaired, from the
 * mildest remedy to the strongest, and again from the start. Sampled about twice a second; pure but for its memory.
 */
export class PlaybackHealth {
  private last: PlaybackSample | null = null
  private stuckSince_ms: number | null = null
  /** Where it stood still. */
  private stuckAt_s = 0
  private applied: Remedy = 'none'
  private quietUntil_ms = 0
  private stalls: Stall[] = []
  /** Samples in a row in which the position moved. */
  private moves = 0
  /** True after the machine slept or the tab was frozen, until `takeWoken` reads it. */
  private woken = false

  /** Playback begins anew: what comes in the next seconds is no stall. */
  restarted(now_ms: number): void {
    this.last = null
    this.stuckSince_ms = null
    this.applied = 'none'
    this.moves = 0
    this.quietUntil_ms = now_ms + GRACE_MS
  }

  sample(sample: PlaybackSample): Remedy {
    const last = this.last
    this.last = sample
    if (!last) return 'none'
    if (sample.now_ms - last.now_ms > SLEEP_GAP_MS) {
      this.woken = true
      this.stuckSince_ms = null
      this.applied = 'none'
      return 'none'
    }
    if (!sample.wanted) {
      this.stuckSince_ms = null
      this.applied = 'none'
      this.moves = 0
      return 'none'
    }
    if (Math.abs(sample.position_s - last.position_s) > MOVED_S && !this.again(sample.position_s)) {
      this.moves++
      if (this.flowing) {
        this.stuckSince_ms = null
        this.applied = 'none'
      }
      return 'none'
    }
    this.moves = 0
    if (this.stuckSince_ms === null) {
      this.stuckSince_ms = last.now_ms
      this.stuckAt_s = last.position_s
    }
    const stuck_ms = sample.now_ms - this.stuckSince_ms
    this.count(sample.now_ms, stuck_ms)
    return this.remedy(stuck_ms, sample.ahead_s)
  }

  /** Whether playback, though wanted, has not moved for a moment: show that it is waiting. */
  get stalled(): boolean {
    return this.stuckSince_ms !== null && this.last !== null && this.last.now_ms - this.stuckSince_ms >= STALL_AFTER_MS
  }

  /** Whether it moves by itself: one move alone may be a seek, a remedy of ours for instance. */
  get flowing(): boolean {
    return this.moves >= 2
  }

  /** Repeated or long stalls within a minute: the connection does not carry what is played. */
  poor(now_ms: number): boolean {
    this.stalls = this.stalls.filter((stall) => now_ms - stall.began_ms < POOR_WINDOW_MS)
    const stalled_ms = this.stalls.reduce((sum, stall) => sum + stall.lasted_ms, 0)
    return this.stalls.length >= POOR_STALLS || stalled_ms >= POOR_STALLED_MS
  }

  /** Another way of playing was chosen: its record starts clean. */
  forgive(): void {
    this.stalls = []
  }

  takeWoken(): boolean {
    const { woken } = this
    this.woken = false
    return woken
  }

  private again(position_s: number): boolean {
    if (this.stuckSince_ms === null) return false
    return position_s <= this.stuckAt_s + MOVED_S && position_s > this.stuckAt_s - AGAIN_S
  }

  private count(now_ms: number, stuck_ms: number): void {
    if (stuck_ms < STALL_AFTER_MS || now_ms < this.quietUntil_ms) return
    const began_ms = now_ms - stuck_ms
    const current = this.stalls.at(-1)
    if (current && current.began_ms === began_ms) current.lasted_ms = stuck_ms
    else this.stalls.push({ began_ms, lasted_ms: stuck_ms })
    if (this.stalls.length > 32) this.stalls.shift()
  }

  private remedy(stuck_ms: number, ahead_s: number): Remedy {
    // With media ahead of it the position must move: that is the decoder or a hole, and waiting longer helps nobody.
    const patience = ahead_s > 1 ? 0.6 : 1
    let due: Remedy = 'none'
    if (stuck_ms >= RELOAD_AFTER_MS * patience) due = 'reload'
    else if (stuck_ms >= RECOVER_AFTER_MS * patience) due = 'recover'
    else if (stuck_ms >= JUMP_AFTER_MS * patience) due = 'jump'
    if (due === this.applied) return 'none'
    this.applied = due
    if (due === 'reload' && this.last) this.restarted(this.last.now_ms)
    return due
  }
}
