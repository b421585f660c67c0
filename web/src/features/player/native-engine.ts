import { Backoff } from '$lib/backoff'
import type { Engine, EngineEvents, Playhead, Quality } from './engine'

/** The browser's own HLS, where there is no MediaSource (older iPhones). It chooses qualities by itself. */
export class NativeEngine implements Engine {
  readonly qualities: readonly Quality[] = []
  readonly current = -1
  readonly throughput = null
  private readonly listening = new AbortController()
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly backoff = new Backoff(1_000, 8_000)

  constructor(
    private readonly media: HTMLVideoElement,
    private readonly address: string,
    private readonly events: EngineEvents,
    /** To begin at, in the element's time; null for where the system begins. */
    private start_s: number | null = null,
  ) {
    const { signal } = this.listening
    media.addEventListener(
      'loadedmetadata',
      () => {
        if (this.start_s !== null) media.currentTime = this.start_s
      },
      { signal },
    )
    media.addEventListener('error', () => void this.failed(), { signal })
    media.addEventListener(
      'playing',
      () => {
        this.backoff.reset()
        events.onfailing(false)
      },
      { signal },
    )
    this.reload()
  }

  static supported(media: HTMLVideoElement): boolean {
    return media.canPlayType('application/vnd.apple.mpegurl') !== ''
  }

  get playhead(): Playhead {
    const media = this.media as HTMLVideoElement & { getStartDate?: () => Date }
    const origin_ms = media.getStartDate?.().getTime()
    const { seekable } = media
    const known = origin_ms !== undefined && !Number.isNaN(origin_ms) && seekable.length > 0
    const edge_s = seekable.length > 0 ? seekable.end(seekable.length - 1) : null
    return {
      at_ms: known ? origin_ms + media.currentTime * 1000 : null,
      edge_ms: known && edge_s !== null ? origin_ms + edge_s * 1000 : null,
      start_ms: known ? origin_ms + seekable.start(0) * 1000 : null,
      behind_s: edge_s === null ? null : edge_s - media.currentTime,
    }
  }

  get over(): boolean {
    return Number.isFinite(this.media.duration)
  }

  choose(): void {
    // The system's player adapts by itself.
  }

  jump(): void {
    const { seekable } = this.media
    if (seekable.length > 0) this.media.currentTime = seekable.end(seekable.length - 1)
  }

  positionOf(date_ms: number): number | null {
    const { at_ms, start_ms } = this.playhead
    if (at_ms === null || start_ms === null || date_ms < start_ms) return null
    return this.media.currentTime + (date_ms - at_ms) / 1000
  }

  seek(date_ms: number): boolean {
    const position_s = this.positionOf(date_ms)
    if (position_s === null) return false
    this.media.currentTime = position_s
    return true
  }

  recover(): void {
    this.reload()
  }

  reload(): void {
    clearTimeout(this.timer)
    if (this.start_s !== null && this.media.currentTime > 0) this.start_s = this.media.currentTime
    this.media.src = this.address
    void this.media.play().catch(() => undefined)
  }

  close(): void {
    this.listening.abort()
    clearTimeout(this.timer)
    this.media.removeAttribute('src')
    this.media.load()
  }

  private async failed(): Promise<void> {
    this.events.onfailing(true)
    const status = await fetch(this.address).then(
      (response) => response.status,
      () => 0,
    )
    if (this.listening.signal.aborted) return
    if (status === 404) this.events.onoff()
    else this.timer = setTimeout(() => this.reload(), this.backoff.next())
  }
}
