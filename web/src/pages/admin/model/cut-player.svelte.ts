import type { Engine } from '$features/player/engine'
import { previewedAt } from './cutting'
import type { Cut } from './recordings'

const USUAL_FRAME_MS = 40
const MOST_TRIES = 6
/** A picture that was gone to is shown within this time. */
const SHOWN_MS = 150

/** Plays all of a recording's material, to find where to cut; or what a cut leaves of it. Times are media times, UTC ms. */
export class CutPlayer {
  /** The picture that is shown. */
  at_ms = $state(0)
  playing = $state(false)
  /** There is a picture. */
  ready = $state(false)
  failing = $state(false)
  /** It shows what the cut would show. */
  previewing = $state(false)
  frame_ms = $state(USUAL_FRAME_MS)
  private cut: Cut | null = null
  private media: HTMLVideoElement | null = null
  private engine: Engine | null = null
  private lastFrame_s = -1
  private handle = 0
  private stuck: ReturnType<typeof setTimeout> | undefined
  private wanted_ms: number | null

  constructor(start_ms: number) {
    this.at_ms = start_ms
    this.wanted_ms = start_ms
  }

  /** Loads the material into an element. Returns the function that ends it. */
  attach(media: HTMLVideoElement, address: string): () => void {
    this.media = media
    let closed = false
    const listening = new AbortController()
    const on = (name: string, does: () => void) => media.addEventListener(name, does, { signal: listening.signal })
    on('play', () => (this.playing = true))
    on('pause', () => (this.playing = false))
    on('loadeddata', () => this.loaded())
    on('seeked', () => this.look())
    on('timeupdate', () => this.look())
    this.watchFrames(media)
    import('$features/player/hls-engine').then(
      ({ HlsEngine }) => {
        if (closed || !HlsEngine.supported) return
        const none = () => undefined
        this.engine = new HlsEngine(
          media,
          address,
          'replay',
          0,
          { onoff: none, onqualities: none, ondiscontinuity: none, onfailing: (failing) => (this.failing = failing) },
          true,
        )
      },
      () => (this.failing = true),
    )
    return () => {
      closed = true
      listening.abort()
      clearTimeout(this.stuck)
      if (this.handle) media.cancelVideoFrameCallback(this.handle)
      this.engine?.close()
      this.engine = null
      this.media = null
    }
  }

  toggle(): void {
    if (!this.media) return
    if (this.media.paused) void this.media.play().catch(() => undefined)
    else this.media.pause()
  }

  /** From the beginning of a cut, without what it leaves out. */
  preview(cut: Cut): void {
    this.seek(previewedAt(cut, cut.start_ms) ?? cut.start_ms)
    this.cut = cut
    this.previewing = true
    void this.media?.play().catch(() => undefined)
  }

  /** To a moment; a preview goes on from there without leaving anything out. */
  seek(at_ms: number): void {
    this.leavePreview()
    this.go(at_ms)
  }

  /** To the picture beside. */
  step(by: 1 | -1, tries = 1): void {
    const { media } = this
    if (!media) return
    media.pause()
    const from_s = this.lastFrame_s
    const at_ms = this.at_ms
    // Into the middle of it, so that rounding does not matter.
    this.seek(at_ms + (by > 0 ? tries + 0.5 : -tries + 0.5) * this.frame_ms)
    if (!this.handle || tries >= MOST_TRIES) return
    // Of a slow camera the same picture is shown still.
    clearTimeout(this.stuck)
    this.stuck = setTimeout(() => {
      if (media.seeking || this.lastFrame_s !== from_s) return
      this.at_ms = at_ms
      this.step(by, tries + 1)
    }, SHOWN_MS)
  }

  leavePreview(): void {
    this.previewing = false
    this.cut = null
  }

  private go(at_ms: number): void {
    this.at_ms = at_ms
    const position_s = this.engine?.positionOf(at_ms) ?? null
    if (!this.media || position_s === null) {
      this.wanted_ms = at_ms
      return
    }
    this.media.currentTime = position_s
  }

  private loaded(): void {
    this.ready = true
    const { wanted_ms } = this
    this.wanted_ms = null
    if (wanted_ms !== null) this.go(wanted_ms)
  }

  /** The element's clock, where the browser does not tell its pictures. */
  private look(): void {
    if (this.wanted_ms !== null || !this.media || this.media.seeking) return
    const now_ms = this.engine?.playhead.at_ms ?? null
    if (now_ms === null) return
    if (!this.handle) this.at_ms = now_ms
    const { cut } = this
    if (!cut || !this.previewing) return
    const shown_ms = previewedAt(cut, now_ms)
    if (shown_ms === null) {
      this.media.pause()
      this.leavePreview()
      this.go(cut.end_ms - 1)
    } else if (shown_ms > now_ms + 1) this.go(shown_ms)
  }

  private watchFrames(media: HTMLVideoElement): void {
    if (!('requestVideoFrameCallback' in media)) return
    const told = (_now: number, { mediaTime }: VideoFrameCallbackMetadata) => {
      this.handle = media.requestVideoFrameCallback(told)
      // The shortest is no dropped picture.
      const between_ms = Math.abs(mediaTime - this.lastFrame_s) * 1000
      if (between_ms > 5) this.frame_ms = Math.min(this.frame_ms, between_ms)
      this.lastFrame_s = mediaTime
      const now_ms = this.engine?.playhead.at_ms ?? null
      if (now_ms === null || this.wanted_ms !== null || media.seeking) return
      this.at_ms = now_ms + (mediaTime - media.currentTime) * 1000
      this.look()
    }
    this.handle = media.requestVideoFrameCallback(told)
  }
}
