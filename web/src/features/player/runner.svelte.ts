import type { Remedy } from './protocol/health'
import { audioPlaylist } from './protocol/playlist'
import type { WhepFailure } from './protocol/whep'
import type { Engine, Quality } from './engine'
import type { Source } from './hls-config'
import { HlsEngine } from './hls-engine'
import { fetchText } from './media'
import { NativeEngine } from './native-engine'
import { SpokenCaptions } from './spoken.svelte'
import type { WhepPlayback } from './whep-playback'

/** The way in which the viewer wants to watch. */
export type Mode =
  /** LL-HLS, two seconds behind. */
  | 'standard'
  /** WHEP where there is room, HLS where there is not. */
  | 'lowest'
  /** Sound, and a still every ten seconds. */
  | 'poor'

/** The stream or recording to play. */
export interface PlaybackSource {
  /** The playlist's, absolute. */
  address: string
  source: 'live' | 'dvr' | 'replay'
  /** Seconds of the element's time; null for the position that the source itself begins at. */
  start_s: number | null
}

/** Callbacks to the runner's player. */
export interface RunnerEvents {
  /** The address is 404: nothing runs until the player begins again. */
  onoff(): void
  /** The stream passed a discontinuity: the source changed, ask what is on. */
  ondiscontinuity(): void
  /** Another engine took over by itself: standing still for a moment is its start. */
  onrestart(): void
  /** A way of playing that was wished for and did not work may be tried again now. */
  onagain(): void
}

/** A new attempt at the lowest latency after it was full or lost. */
const WHEP_AGAIN_MS = 60_000
/** Tracks end at about the same time. */
const END_MS = 1_000
const AUDIO_AGAIN_MS = 3_000

/** Runs one engine, or WHEP, or nothing in the media element, and knows whether the browser lets it play. */
export class Runner {
  playing = $state<'hls' | 'whep' | 'audio' | 'none'>('none')
  qualities = $state.raw<readonly Quality[]>([])
  /** A quality's index, -1 for automatic. */
  chosen = $state(-1)
  /** Index of the quality that plays, -1 while unknown. */
  current = $state(-1)
  /** The browser refused to start by itself. */
  refused = $state(false)
  /** Captions that the page tells: WebRTC carries no text. */
  readonly spoken = new SpokenCaptions()
  engine: Engine | null = null
  whep: WhepPlayback | null = null
  source: Source = 'live'
  /** The engine tries and fails. */
  failing = false
  private address = ''
  private media: HTMLVideoElement | null = null
  /** Another attempt of WHEP, or at the address of the sound. */
  private timer: ReturnType<typeof setTimeout> | undefined
  /** Counts what was started: late answers to an earlier source are recognised by it. */
  private turn = 0

  /** @param wanted whether the viewer wants it to play; changed from outside */
  constructor(
    public wanted: boolean,
    readonly room: string,
    private readonly iceServers: RTCIceServer[],
    private readonly events: RunnerEvents,
  ) {}

  /** The broadcast that plays has ended: nothing is added to it any more. */
  get over(): boolean {
    return this.source !== 'replay' && this.engine?.over === true
  }

  /** Whether what plays has come to the end that its playlist has now. */
  get atEnd(): boolean {
    const { at_ms, edge_ms } = this.engine?.playhead ?? { at_ms: null, edge_ms: null }
    return at_ms !== null && edge_ms !== null && edge_ms - at_ms < END_MS
  }

  /** Less comes in than the leanest picture needs: then sound is heard without a question. */
  get starved(): boolean {
    const got = this.engine?.throughput ?? Infinity
    return this.source === 'live' && this.qualities.length > 0 && this.qualities.every(({ bitrate }) => bitrate > got)
  }

  /** Call once, before `begin`. */
  attach(media: HTMLVideoElement): void {
    this.media = media
  }

  /** In place of what runs, which was dropped. */
  begin(mode: Mode, { address, source, start_s }: PlaybackSource): void {
    this.address = address
    if (source === 'replay') this.beginHls(address, source, start_s)
    else if (mode === 'poor') void this.beginAudio(address)
    else if (mode === 'lowest' && source === 'live') void this.beginWhep()
    else this.beginHls(address + (source === 'dvr' ? '?dvr=1' : ''), source, start_s)
  }

  drop(): void {
    this.turn++
    this.dropWhep()
    this.engine?.close()
    this.engine = null
    this.spoken.clear()
    this.source = 'live'
    this.playing = 'none'
    this.failing = false
    this.qualities = []
    this.current = -1
  }

  dropWhep(): void {
    clearTimeout(this.timer)
    this.whep?.close()
    this.whep = null
  }

  /** Playback that is wanted does not move: what the watchdog asks for is done. */
  repair(remedy: Remedy, following: boolean): void {
    if (this.whep) {
      // Its picture stands still: HLS has a buffer, and remedies of its own.
      if (remedy !== 'jump') this.giveUpWhep({ reason: 'lost' })
    } else if (remedy === 'jump') {
      if (following) this.engine?.jump()
      void this.play()
    } else if (remedy === 'recover') {
      this.engine?.recover()
    } else if (remedy === 'reload') {
      this.engine?.reload()
    }
  }

  /** Reads which quality plays now. */
  look(): void {
    if (this.engine) this.current = this.engine.current
  }

  /** Starts the element, without its sound where the browser refuses that, or says that the viewer has to press. */
  async play(): Promise<void> {
    const { media, turn } = this
    if (!media || !this.wanted) return
    try {
      await media.play()
      this.refused = false
    } catch (reason) {
      if (turn !== this.turn || !(reason instanceof DOMException) || reason.name !== 'NotAllowedError') return
      if (media.muted) this.refused = true
      else {
        media.muted = true // Sound is what was refused: the picture at least.
        await media.play().catch(() => (this.refused = true))
      }
    }
  }

  private beginHls(address: string, source: Source, start_s: number | null): void {
    if (!this.media) return
    this.source = source
    this.playing = source === 'audio' ? 'audio' : 'hls'
    const events = {
      onoff: () => this.events.onoff(),
      onfailing: (failing: boolean) => (this.failing = failing),
      onqualities: () => this.showQualities(),
      ondiscontinuity: () => this.events.ondiscontinuity(),
    }
    if (HlsEngine.supported) this.engine = new HlsEngine(this.media, address, source, start_s, events)
    else if (NativeEngine.supported(this.media)) this.engine = new NativeEngine(this.media, address, events, start_s)
    if (source !== 'audio' && this.chosen >= 0) this.engine?.choose(this.chosen)
    void this.play()
  }

  private async beginAudio(address: string): Promise<void> {
    this.playing = 'audio'
    const { turn } = this
    const master = await fetchText(address).catch(() => undefined)
    if (turn !== this.turn) return
    const audio = typeof master === 'string' ? audioPlaylist(master, address) : null
    if (audio) return this.beginHls(audio, 'audio', null)
    if (master === null) return this.events.onoff()
    this.failing = true
    this.again(AUDIO_AGAIN_MS)
  }

  private async beginWhep(): Promise<void> {
    const { media, turn } = this
    if (!media) return
    this.playing = 'whep'
    // Few ask for it: it is not in what everybody loads.
    const loaded = await import('./whep-playback').catch(() => null)
    if (turn !== this.turn) return
    if (!loaded) return this.giveUpWhep(null)
    this.whep = new loaded.WhepPlayback(
      media,
      `/whep/${encodeURIComponent(this.room)}`,
      this.iceServers,
      () => void this.play(),
      (failure) => this.giveUpWhep(failure),
    )
    void this.play()
  }

  /** HLS at once, without a word; the mode stays chosen, and is tried again in a while. */
  private giveUpWhep(failure: WhepFailure | null): void {
    const wait_ms = failure?.reason === 'full' ? (failure.retryAfter_ms ?? WHEP_AGAIN_MS) : WHEP_AGAIN_MS
    this.dropWhep()
    this.turn++
    this.events.onrestart()
    this.beginHls(this.address, 'live', null)
    this.again(Math.max(wait_ms, WHEP_AGAIN_MS / 2))
  }

  private again(wait_ms: number): void {
    const { turn } = this
    this.timer = setTimeout(() => turn === this.turn && this.events.onagain(), wait_ms)
  }

  private showQualities(): void {
    if (!this.engine) return
    this.qualities = this.engine.qualities
    this.look()
  }
}
