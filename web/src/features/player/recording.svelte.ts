import type { Engine } from './engine'
import { seekableRange } from './media'

/** A recording in place of what is live. */
export interface Replay {
  address: string
  /** Its session is on air: it grows, and there is a live picture to go back to. */
  growing: boolean
}

/** Where a recording is, ms from its start. */
export interface Place {
  unit: 'span'
  start_ms: number
  end_ms: number
  at_ms: number
}

/** A growing recording that is caught up to within this many seconds of its end gives way to the live picture. */
const CAUGHT_UP_S = 12
export const CATCH_UP_RATE = 1.25

/** A player's state for a recording: which one, how fast, whether it is over or gone. */
export class Recording {
  replay = $state.raw<Replay | null>(null)
  /** It is no longer there: unpublished, or nothing of it was kept. */
  gone = $state(false)
  /** It was played to its end. */
  finished = $state(false)
  rate = $state(1)
  /** Where it begins, and begins again after an engine was lost: seconds from its start. */
  start_s = 0
  private media: HTMLVideoElement | null = null

  attach(media: HTMLVideoElement): void {
    this.media = media
  }

  /** @returns whether it is another one than was played so far */
  watch(replay: Replay, start_s?: number): boolean {
    const same = this.replay?.address === replay.address
    if (start_s !== undefined || !same) this.start_s = start_s ?? 0
    this.replay = replay
    if (!replay.growing && same) this.setRate(1)
    return !same
  }

  setRate(rate: number): void {
    this.rate = rate
    if (!this.media) return
    this.media.defaultPlaybackRate = rate
    this.media.playbackRate = rate
  }

  leave(): void {
    this.replay = null
    this.finished = false
    this.setRate(1)
  }

  /** Its address is 404. Returns whether there is a live picture to go back to. */
  lose(): boolean {
    const growing = this.replay?.growing === true
    this.leave()
    this.gone = true
    return growing
  }

  seek(position_ms: number): void {
    if (!this.media) return
    this.finished = false
    this.media.currentTime = position_ms / 1000
  }

  /** Where it is; null while that is not known. */
  look(): Place | null {
    const { media } = this
    const range = media && seekableRange(media)
    if (!media || !range) return null
    const at_s = media.currentTime
    const end_s = Math.max(range.end_s, at_s)
    if (media.playbackRate !== this.rate && !media.paused) this.setRate(this.rate)
    return { unit: 'span', start_ms: range.start_s * 1000, end_ms: end_s * 1000, at_ms: at_s * 1000 }
  }

  /** Whether a growing one that is played faster has come so near to its end that the live picture goes on. */
  hasCaughtUp({ end_ms, at_ms }: Place): boolean {
    return this.replay?.growing === true && this.rate > 1 && end_ms - at_ms < CAUGHT_UP_S * 1000
  }

  /** To a media time, the next that there is where it was cut away. */
  seekDate(engine: Engine, date_ms: number): void {
    this.finished = false
    const { start_ms } = engine.playhead
    engine.seek(start_ms === null ? date_ms : Math.max(date_ms, start_ms))
  }
}
