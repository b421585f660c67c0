import Hls, { type ErrorData, type Fragment, type LevelDetails } from 'hls.js'
import { Backoff } from '$lib/backoff'
import type { Engine, EngineEvents, Playhead, Quality } from './engine'
import { hlsConfig, rememberBandwidth, slowLink, type Source, statusOf } from './hls-config'
import { earlyPlaylistLoader } from './early'
import { replayPlaylistLoader } from './replay-loader'

/** Of a media element that has no picture yet. */
const HAVE_METADATA = 1
/** Between two decoder resets; a second one sooner means that resetting does not help. */
const RECOVERY_PAUSE_MS = 6_000

function dateOf(details: LevelDetails | null | undefined, end: 'first' | 'last'): number | null {
  const fragments = details?.fragments
  const fragment = end === 'first' ? fragments?.[0] : fragments?.at(-1)
  const date = fragment?.programDateTime
  if (!details || !fragment || date == null) return null
  return end === 'first' ? date : date + (details.edge - fragment.start) * 1000
}

/**
 * hls.js goes to its start only once, and forgets where that is when one of its first requests was taken back: then it
 * loads, and the element waits at zero.
 */
function startWhereBuffered(media: HTMLMediaElement): void {
  if (media.readyState !== HAVE_METADATA || media.seeking || media.buffered.length === 0) return
  const start_s = media.buffered.start(0)
  if (media.currentTime < start_s) media.currentTime = start_s
}

/** hls.js around one media element: loads, and whatever goes wrong, loads again. */
export class HlsEngine implements Engine {
  qualities: readonly Quality[] = []
  private hls: Hls | null = null
  private wanted = -1
  private recovered_ms = -Infinity
  private timer: ReturnType<typeof setTimeout> | undefined
  private closed = false
  private continuity = -1
  private readonly backoff = new Backoff(500, 6_000)

  /**
   * @param address of the multivariant playlist, or of the sound's own playlist for `audio`
   * @param start_s position in the playlist to begin at; null for live
   */
  constructor(
    private readonly media: HTMLVideoElement,
    private readonly address: string,
    private readonly source: Source,
    private start_s: number | null,
    private readonly events: EngineEvents,
    /** It waits for a press instead of playing at once. */
    private readonly idle = false,
  ) {
    this.build()
  }

  static get supported(): boolean {
    return Hls.isSupported()
  }

  get current(): number {
    return this.hls?.currentLevel ?? -1
  }

  get playhead(): Playhead {
    const hls = this.hls
    const details = hls?.latestLevelDetails
    const target = hls?.liveSyncPosition
    return {
      at_ms: this.beginning ? null : (hls?.playingDate?.getTime() ?? null),
      edge_ms: dateOf(details, 'last'),
      start_ms: dateOf(details, 'first'),
      behind_s: target == null ? null : target - this.media.currentTime,
    }
  }

  /** Until it plays, the element is elsewhere, and hls.js takes it to the place where it is to begin, whatever is sought. */
  private get beginning(): boolean {
    return this.source === 'dvr' && this.continuity < 0
  }

  get over(): boolean {
    return this.hls?.latestLevelDetails?.live === false
  }

  get throughput(): number | null {
    return this.hls?.bandwidthEstimate ?? null
  }

  choose(index: number): void {
    this.wanted = index
    if (this.hls) this.hls.nextLevel = index
  }

  jump(): void {
    const target = this.hls?.liveSyncPosition
    if (target != null && Number.isFinite(target)) this.media.currentTime = target
  }

  positionOf(date_ms: number): number | null {
    const fragments = this.hls?.latestLevelDetails?.fragments ?? []
    const start = fragments[0]?.programDateTime
    if (start == null || date_ms < start - 1000) return null
    let found: Fragment | undefined
    for (const fragment of fragments) {
      if (fragment.programDateTime != null && fragment.programDateTime <= date_ms) found = fragment
    }
    found ??= fragments[0]
    if (!found) return null
    const into_s = Math.max(0, date_ms - (found.programDateTime ?? date_ms)) / 1000
    return found.start + Math.min(into_s, found.duration)
  }

  seek(date_ms: number): boolean {
    const position_s = this.positionOf(date_ms)
    if (position_s === null || this.beginning) return false
    // As `offsetOf` does: what begins at zero by rounding begins before zero.
    const first = this.hls?.latestLevelDetails?.fragments[0]
    const least_s = this.source !== 'replay' && first && first.start < 0.001 ? first.end : 0
    this.media.currentTime = Math.min(Math.max(position_s, least_s), this.hls?.liveSyncPosition ?? Infinity)
    return true
  }

  recover(): void {
    const now = performance.now()
    if (!this.hls || now - this.recovered_ms < RECOVERY_PAUSE_MS) return this.reload()
    this.recovered_ms = now
    this.hls.recoverMediaError()
    if (!this.idle) void this.media.play().catch(() => undefined)
  }

  reload(): void {
    if (this.closed) return
    // Live again: an old start position may be out of the window by now.
    if (this.source === 'replay') this.start_s = this.media.currentTime || this.start_s
    else if (this.source !== 'dvr') this.start_s = null
    this.build()
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.drop()
  }

  private build(): void {
    clearTimeout(this.timer)
    this.drop()
    const hls = new Hls({
      ...hlsConfig(this.source, this.start_s),
      pLoader: this.source === 'replay' || this.source === 'dvr' ? replayPlaylistLoader() : earlyPlaylistLoader(),
    })
    this.hls = hls
    // Captions are drawn by the page (captions.svelte.ts).
    hls.subtitleDisplay = false
    hls.on(Hls.Events.ERROR, (_event, data) => this.error(data))
    hls.on(Hls.Events.MANIFEST_LOADED, (_event, { contentSteering }) => {
      if (contentSteering) void import('./steering').then(({ steer }) => steer(hls, contentSteering.uri))
    })
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.qualities = hls.levels
        .map((level, index) => ({ index, height: level.height, bitrate: level.maxBitrate }))
        .filter((quality) => quality.height > 0)
      if (this.wanted >= 0 && this.wanted < hls.levels.length) hls.nextLevel = this.wanted
      this.events.onqualities()
    })
    hls.on(Hls.Events.LEVEL_SWITCHED, () => this.events.onqualities())
    hls.on(Hls.Events.FRAG_CHANGED, (_event, { frag }) => {
      if (this.continuity >= 0 && frag.cc !== this.continuity) this.events.ondiscontinuity()
      this.continuity = frag.cc
    })
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      this.backoff.reset()
      if (this.source === 'live') startWhereBuffered(this.media)
      rememberBandwidth(hls.bandwidthEstimate)
      this.events.onfailing(false)
    })
    if (this.source === 'live' && slowLink()) this.beginWithPart(hls)
    hls.loadSource(this.address)
    hls.attachMedia(this.media)
    if (!this.idle) void this.media.play().catch(() => undefined)
  }

  /**
   * Over a slow link a part's request takes longer than the part lasts. The first picture comes from one, at a segment's
   * start, where it can be decoded; after it whole segments are loaded, farther from the live edge.
   */
  private beginWithPart(hls: Hls): void {
    hls.once(Hls.Events.LEVEL_LOADED, (_event, { details }) => {
      const target = hls.liveSyncPosition
      const first = details.fragments.findLast(({ start }) => target !== null && start <= target)
      if (first) hls.startLoad(first.start)
    })
    const wholeSegments = () => (hls.lowLatencyMode = false)
    this.media.addEventListener('loadeddata', wholeSegments, { once: true })
    hls.once(Hls.Events.DESTROYING, () => this.media.removeEventListener('loadeddata', wholeSegments))
  }

  private drop(): void {
    this.hls?.destroy()
    this.hls = null
    this.continuity = -1
  }

  private error(data: ErrorData): void {
    const status = statusOf(data.response)
    const gone = status === 404 || status === 410
    const playlist =
      data.details === Hls.ErrorDetails.MANIFEST_LOAD_ERROR ||
      data.details === Hls.ErrorDetails.LEVEL_LOAD_ERROR ||
      data.details === Hls.ErrorDetails.AUDIO_TRACK_LOAD_ERROR
    // An edition that has been replaced: its address leads to the new one.
    if (this.source === 'replay' && status === 410) return this.again()
    if (playlist && gone) {
      if (data.details === Hls.ErrorDetails.MANIFEST_LOAD_ERROR || this.source === 'audio') {
        this.drop()
        this.events.onoff()
      } else {
        // A new broadcast, or a rendition that is gone: the multivariant playlist knows.
        this.again()
      }
      return
    }
    // Its last parts went with the broadcast: hls.js would ask for them a thousand times.
    const part = data.details === Hls.ErrorDetails.FRAG_LOAD_ERROR
    if (part && gone && this.over && this.source !== 'replay') return this.again()
    if (!data.fatal) {
      if (data.type === Hls.ErrorTypes.NETWORK_ERROR) this.events.onfailing(true)
      return
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR) this.recover()
    else this.again()
  }

  private again(): void {
    this.events.onfailing(true)
    // Out of the callback before hls.js is taken apart.
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.reload(), this.backoff.next())
  }
}
