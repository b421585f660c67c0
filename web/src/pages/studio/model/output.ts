/** The room's public output, as viewers see it, in a small muted player. It uses hls.js, loaded only when it is needed. */

import type Hls from 'hls.js'

export type OutputState = 'idle' | 'loading' | 'playing' | 'stalled'

const RETRY_MS = 2500
const WATCHDOG_MS = 1000
/** A picture that has not moved for so long is not what viewers see any more. */
const STUCK_MS = 10_000

export class OutputPlayer {
  private hls: Hls | null = null
  private retry: ReturnType<typeof setTimeout> | undefined
  private watchdog: ReturnType<typeof setInterval> | undefined
  private closed = false
  private lastTime = -1
  private movedAt = 0

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly address: string,
    private readonly onState: (state: OutputState) => void,
  ) {}

  /** UTC ms of the picture on screen, by the playlist's PROGRAM-DATE-TIME; null while it is unknown. */
  get pictureTimeMs(): number | null {
    return this.hls?.playingDate?.getTime() ?? null
  }

  async start(): Promise<void> {
    this.onState('loading')
    this.movedAt = performance.now()
    this.watchdog = setInterval(() => this.watch(), WATCHDOG_MS)
    await this.load()
  }

  stop(): void {
    this.closed = true
    clearTimeout(this.retry)
    clearInterval(this.watchdog)
    this.unload()
    this.onState('idle')
  }

  private async load(): Promise<void> {
    const { default: Engine } = await import('hls.js')
    if (this.closed) return
    this.unload()
    if (!Engine.isSupported()) {
      this.video.src = this.address
      void this.video.play().catch(() => undefined)
      return
    }
    const hls = new Engine({
      lowLatencyMode: true,
      // A small picture: the lowest rungs are enough, and the upload wants the line.
      capLevelToPlayerSize: true,
      backBufferLength: 5,
      maxLiveSyncPlaybackRate: 1.1,
    })
    this.hls = hls
    hls.on(Engine.Events.ERROR, (_event, data) => {
      if (!data.fatal) return
      this.onState('stalled')
      this.again()
    })
    hls.on(Engine.Events.MEDIA_ATTACHED, () => void this.video.play().catch(() => undefined))
    hls.loadSource(this.address)
    hls.attachMedia(this.video)
  }

  private again(): void {
    clearTimeout(this.retry)
    this.unload()
    this.movedAt = performance.now()
    this.retry = setTimeout(() => void this.load(), RETRY_MS)
  }

  private unload(): void {
    this.hls?.destroy()
    this.hls = null
    this.lastTime = -1
  }

  private watch(): void {
    const now = performance.now()
    const time = this.video.currentTime
    if (time !== this.lastTime && !this.video.paused && time > 0) {
      this.lastTime = time
      this.movedAt = now
      this.onState('playing')
    } else if (now - this.movedAt > STUCK_MS && !document.hidden) {
      this.onState('stalled')
      this.again()
    } else if (now - this.movedAt > 2 * WATCHDOG_MS && this.lastTime > 0) {
      this.onState('stalled')
    }
  }
}
