import { absolute } from '$lib/address'
import { PlaybackHealth } from './protocol/health'
import { moveOf } from './protocol/move'
import { offsetOf, type PlaylistWindow } from './protocol/playlist'
import { type Phase, phaseOf } from './protocol/phase'
import { type RoomAnswer, type RoomStatus, RoomWatcher } from '$lib/protocol/room'
import { Dvr } from './dvr'
import { HlsEngine } from './hls-engine'
import { bufferedAhead } from './media'
import { NativeEngine } from './native-engine'
import type { PlayerOptions } from './options'
import { type Output, outputOf } from './output'
import { Recording, type Replay } from './recording.svelte'
import { type Mode, Runner } from './runner.svelte'
import { beforeStart, type Chapter, liveTimeline, type Timeline } from './timeline'

export type { Mode }

const TICK_MS = 500
/** Behind the aimed-at position by more than this, a live viewer is brought back at once; below, by playing faster. */
const DRIFT_S = 5
/** Behind by more than this is no longer "live". */
const LIVE_SLACK_S = 4
const AGAIN_MS = 3_000

/**
 * One player on a page: which engine runs, what the viewer wants, what is shown. Components change nothing but by methods.
 */
export class Player {
  status = $state.raw<RoomStatus | null>(null)
  answer = $state.raw<RoomAnswer | null>(null)
  mode = $state<Mode>('standard')
  playback = $state<'idle' | 'loading' | 'playing' | 'stalled' | 'failing'>('idle')
  latency_ms = $state<number | null>(null)
  timeline = $state.raw<Timeline | null>(null)
  /** Of the recording that is played; whoever knows them sets them. */
  chapters = $state.raw<readonly Chapter[]>([])
  /** Following the live edge; false once the viewer went back or paused. */
  following = $state(true)
  /** Where the viewer wants to be, until it is known how far back the broadcast goes. */
  private wanted_ms: number | null = null
  paused = $state(false)
  muted = $state(true)
  offerPoor = $state(false)
  seen = $state(false)
  readonly recording = new Recording()
  readonly runner: Runner
  phase: Phase = $derived(
    phaseOf({
      answer: this.answer,
      state: this.status?.state ?? null,
      seen: this.seen,
      playback: this.playback,
      replay: this.replay !== null,
    }),
  )
  /** Seconds between what is played of a growing recording and its end. */
  behind_s = $derived(
    this.replay?.growing && this.timeline ? Math.max(0, this.timeline.end_ms - this.timeline.at_ms) / 1000 : null,
  )

  readonly whepOffered: boolean
  /** A recording has no latency, nor has a room that is not on. */
  readonly lowestOffered = $derived.by(() => this.whepOffered && !this.replay && this.status?.state !== 'off')
  private media: HTMLVideoElement | null = null
  private ticker: ReturnType<typeof setInterval> | undefined
  private poorRefused = false
  private readonly health = new PlaybackHealth()
  private readonly dvr = new Dvr()
  private output: Output
  /** When a broadcast was left that was over or gone. */
  private left_ms = 0
  private clockOffset_ms = 0
  private readonly listening = new AbortController()
  private readonly watcher: RoomWatcher | null

  constructor(options: PlayerOptions) {
    this.output = options.output ?? outputOf(options.room)
    this.whepOffered = options.whep && typeof RTCPeerConnection === 'function'
    this.mode = options.mode === 'lowest' && !this.whepOffered ? 'standard' : options.mode
    this.runner = new Runner(options.autoplay, options.room, options.iceServers, {
      onoff: () => this.off(),
      ondiscontinuity: () => this.watcher?.poke(),
      onrestart: () => this.health.restarted(performance.now()),
      // A viewer who went back plays on from there.
      onagain: () => (this.mode !== 'lowest' || this.following) && this.begin(),
    })
    this.watcher = options.follow === false ? null : new RoomWatcher(options.room, (answer) => this.tell(answer))
  }

  get replay(): Replay | null {
    return this.recording.replay
  }

  /** The way of playing that is really used: `lowest` falls back to HLS without a word. */
  get playing(): Runner['playing'] {
    return this.runner.playing
  }

  /** The browser refused to start by itself: the viewer has to press. */
  get refused(): boolean {
    return this.runner.refused
  }

  get supported(): boolean {
    return HlsEngine.supported || (this.media !== null && NativeEngine.supported(this.media))
  }

  /** The media time of the picture that is seen now, UTC ms; null where there is none. */
  mediaTime(): number | null {
    if (this.runner.whep) return this.latency_ms === null ? null : Date.now() + this.clockOffset_ms - this.latency_ms
    return this.runner.engine?.playhead.at_ms ?? null
  }

  /** The viewer's choice about the sound: silence may be their own. */
  audible(): { muted: boolean; volume: number; playing: boolean } {
    const { media } = this
    return {
      muted: media?.muted ?? true,
      volume: media?.volume ?? 0,
      playing: media !== null && this.playing !== 'none' && !media.paused && !this.refused,
    }
  }

  /** Absolute: hls.js puts its delivery directives (blocking reload) on absolute addresses only. */
  get address(): string {
    return absolute(this.output.playlist)
  }

  get stillAddress(): string {
    return this.output.still
  }

  /** Begins; call once, with the element in the page. */
  attach(media: HTMLVideoElement): void {
    this.media = media
    this.runner.attach(media)
    this.recording.attach(media)
    media.muted = true
    const { signal } = this.listening
    media.addEventListener('pause', () => this.pausedByViewer(), { signal })
    media.addEventListener('play', () => this.played(), { signal })
    media.addEventListener('playing', () => this.began(), { signal })
    media.addEventListener('volumechange', () => (this.muted = media.muted || media.volume === 0), { signal })
    document.addEventListener('visibilitychange', () => this.awake(), { signal })
    window.addEventListener('online', () => this.awake(), { signal })
    window.addEventListener('pagehide', () => this.runner.dropWhep(), { signal })
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.resume(), { signal })
    this.ticker = setInterval(() => this.tick(), TICK_MS)
    this.watcher?.start()
    media.addEventListener('ended', () => this.ended(), { signal })
    if (!this.runner.wanted) this.runner.refused = true
    else if (this.watcher || this.replay || (this.status && this.status.state !== 'off')) this.begin()
  }

  /** Whether changes are told (`tell`) as they happen: then the player asks rarely. */
  set pushed(pushed: boolean) {
    if (this.watcher) this.watcher.relaxed = pushed
  }

  /** Something changed on the server's side: asks for the room's state now. */
  poke(): void {
    this.watcher?.poke()
  }

  /** Another live output from now on: the session is closed, its room changed, its key came. */
  setOutput(output: Output): void {
    if (output.playlist === this.output.playlist) return
    this.output = output
    this.dvr.forget()
    if (this.replay === null && this.media && this.playing !== 'none') this.begin()
  }

  /** Plays a recording from a place, by default its start; one that is played already goes on where it is, or there. */
  watchReplay(replay: Replay, start_s?: number): void {
    const other = this.recording.watch(replay, start_s)
    if (!other && this.playing !== 'none') return start_s === undefined ? undefined : this.seekReplay(start_s * 1000)
    this.recording.gone = false
    this.following = false
    this.runner.wanted = this.runner.wanted || this.media !== null
    this.begin()
  }

  close(): void {
    this.listening.abort()
    this.watcher?.stop()
    clearInterval(this.ticker)
    this.drop()
  }

  /** The viewer presses play: where the browser, or the address, did not let it start by itself. */
  press(): void {
    this.runner.refused = false
    this.runner.wanted = true
    if (this.playing === 'none') this.begin()
    else void this.runner.play()
  }

  unmute(): void {
    if (!this.media) return
    if (this.media.volume < 0.1) this.media.volume = 1
    this.media.muted = false
    if (this.refused) this.press()
  }

  choose(index: number): void {
    this.runner.chosen = index
    if (this.mode === 'poor') this.setMode('standard')
    this.runner.engine?.choose(index)
  }

  setMode(mode: Mode): void {
    if (mode === this.mode) return
    this.poorRefused ||= this.mode === 'poor'
    this.mode = mode
    this.offerPoor = false
    this.following = true
    this.health.forgive()
    this.runner.wanted = true
    this.begin()
  }

  declinePoor(): void {
    this.offerPoor = false
    this.poorRefused = true
  }

  goLive(): void {
    this.wanted_ms = null
    this.following = true
    this.runner.wanted = true
    this.paused = false
    if (this.replay) {
      // Nothing to go back to.
      if (!this.replay.growing && this.status?.state === 'off') return
      this.recording.leave()
      this.timeline = null
      return this.begin()
    }
    if (this.runner.source === 'dvr') return this.begin()
    this.runner.engine?.jump()
    void this.runner.play()
  }

  /** To a media time; beyond the loaded window the long playlist is fetched first. */
  async seek(date_ms: number): Promise<void> {
    if (this.playing !== 'hls' && this.playing !== 'audio') return
    if (this.replay) return this.seekReplay(date_ms)
    const end_ms = this.timeline?.end_ms ?? Infinity
    if (date_ms >= end_ms - LIVE_SLACK_S * 1000) return this.goLive()
    this.following = false
    this.runner.wanted = true
    // At once, not at the next look: keys pressed in a row add up.
    if (this.timeline) this.timeline = { ...this.timeline, at_ms: date_ms }
    this.wanted_ms = null
    if (this.runner.engine?.seek(date_ms)) return void this.runner.play()
    this.wanted_ms = date_ms
    const window = await this.loadDvr()
    // Another place was asked for meanwhile.
    if (this.wanted_ms !== date_ms) return
    this.wanted_ms = null
    if (!window || this.following) return
    this.begin('dvr', offsetOf(window, date_ms))
  }

  /** To a media time of whatever plays: of a recording, to the next that it has. */
  seekDate(date_ms: number): void {
    if (!this.replay) return void this.seek(date_ms)
    if (!this.runner.engine) return
    this.runner.wanted = true
    this.recording.seekDate(this.runner.engine, date_ms)
    void this.runner.play()
    this.look()
  }

  /** Where a media time stands in the bar; null where it has no place there. */
  placeOf(date_ms: number): number | null {
    if (!this.replay) return date_ms
    const position_s = this.runner.engine?.positionOf(date_ms)
    return position_s == null ? null : position_s * 1000
  }

  /**
   * A seek that media-chrome asks for (keys, the system's controls), in the element's own time.
   *
   * @returns whether the element may carry it out; what leads past live is done here
   */
  mayMoveTo(position_s: number): boolean {
    if (this.replay) return true
    const playhead = this.runner.engine?.playhead
    if (!this.media || playhead?.behind_s == null) return false
    const before_ms = beforeStart(playhead, position_s, this.media.currentTime)
    if (before_ms !== null && this.runner.source === 'live') {
      void this.seek(before_ms)
      return false
    }
    if (position_s > this.media.currentTime + playhead.behind_s - 1) {
      if (!this.following) this.goLive()
      return false
    }
    this.following = false
    return true
  }

  /** Learns how far back the broadcast goes: asked for when the viewer reaches for the bar. */
  async loadDvr(): Promise<PlaylistWindow | null> {
    if (this.replay) return null
    const window = await this.dvr.load(`${this.address}?dvr=1`)
    if (window) this.look()
    return window
  }

  private begin(source: 'live' | 'dvr' = 'live', start_s: number | null = null): void {
    this.drop()
    if (!this.media || !this.runner.wanted) return
    this.health.restarted(performance.now())
    this.playback = 'loading'
    this.recording.finished = false
    const { replay } = this
    const from_s = start_s ?? (replay && this.recording.start_s)
    const address = replay ? absolute(replay.address) : this.address
    this.runner.begin(this.mode, { address, source: replay ? 'replay' : source, start_s: from_s })
  }

  /** Back from the browser's cache of pages. */
  private resume(): void {
    if (this.watcher || this.replay || (this.status && this.status.state !== 'off')) this.begin()
  }

  private drop(): void {
    this.runner.drop()
    this.latency_ms = null
  }

  /** Tells the state of the room, or of the session that is played, to a player that does not ask by itself. */
  tell(answer: RoomAnswer): void {
    this.answer = answer
    if (answer.kind !== 'status') return
    const before = this.status?.state ?? null
    const { state, clockOffset_ms } = answer.status
    this.status = answer.status
    // Date has whole seconds: only a clock that is really off is corrected.
    this.clockOffset_ms = clockOffset_ms !== null && Math.abs(clockOffset_ms) > 1_500 ? clockOffset_ms : 0
    // A recording plays on, whatever the room does.
    if (this.replay) return
    const { playback, following, runner } = this
    const ended = this.media?.ended === true
    const move = moveOf({ state, before, whole: this.watcher !== null, runner, ended, playback, following })
    if (move === 'leave') this.off()
    else if (move === 'begin') this.begin()
  }

  /** Nobody asks for the room's state, and it was told to be on: the address is tried again. */
  private comeBack(now_ms: number): void {
    const on = this.watcher === null && this.status !== null && this.status.state !== 'off'
    if (on && this.runner.wanted && !this.replay && now_ms - this.left_ms > AGAIN_MS) this.begin()
  }

  /** The room has no broadcast: wait for the next. */
  private off(): void {
    if (this.replay) return this.replayLost()
    this.drop()
    this.left_ms = performance.now()
    this.following = true
    this.timeline = null
    this.dvr.forget()
    this.playback = 'idle'
    this.watcher?.poke()
  }

  /** Its address is 404: live again where that is possible, else nothing. */
  private replayLost(): void {
    this.drop()
    const growing = this.recording.lose()
    this.timeline = null
    this.following = true
    this.playback = 'idle'
    if (growing) this.begin()
  }

  private seekReplay(position_ms: number): void {
    if (!this.media) return
    this.runner.wanted = true
    if (this.timeline) this.timeline = { ...this.timeline, at_ms: position_ms }
    this.recording.seek(position_ms)
    void this.runner.play()
  }

  private played(): void {
    this.paused = false
    this.runner.wanted = true
    this.recording.finished = false
  }

  private pausedByViewer(): void {
    // An element that loses its source pauses too.
    if (!this.media || this.playing === 'none' || this.media.ended || this.media.readyState === 0) return
    this.paused = true
    this.runner.wanted = false
    this.following = false
  }

  /** All has been played: a recording, or a broadcast that is over. */
  private ended(): void {
    this.recording.finished = this.replay !== null
    if (this.replay) return
    // The room's state may be told later than the end, or be the next broadcast's already.
    if (this.status?.state === 'off' || this.runner.over) this.off()
    else this.watcher?.poke()
  }

  /** The element says that it plays. After a stall it may say so of a single frame: then the watchdog decides. */
  private began(): void {
    if (this.playback === 'loading' || this.playback === 'idle') this.moving()
  }

  private moving(): void {
    this.seen = true
    this.runner.refused = false
    this.playback = 'playing'
  }

  /** Back from a hidden tab, sleep or a lost network. */
  private awake(): void {
    if (document.hidden) return
    this.watcher?.poke()
    this.catchUp()
    if (this.runner.wanted && this.playing !== 'none') void this.runner.play()
  }

  private tick(): void {
    const { media } = this
    if (!media) return
    this.look()
    const now_ms = performance.now()
    if (this.playing === 'none') return this.comeBack(now_ms)
    const remedy = this.health.sample({
      now_ms,
      position_s: media.currentTime,
      wanted: this.runner.wanted && !this.refused && !document.hidden && !(this.replay && media.ended),
      ahead_s: bufferedAhead(media),
    })
    if (this.health.takeWoken() && this.following) {
      if (this.runner.whep) this.begin()
      else this.runner.engine?.jump()
    }
    if (this.playback === 'playing' && this.health.stalled) this.playback = 'stalled'
    else if (this.runner.failing && /^(stalled|loading)$/.test(this.playback)) this.playback = 'failing'
    else if (this.playback !== 'playing' && !media.paused && this.health.flowing) this.moving()
    // Its last parts may be missing in one of its tracks, and then no element says that it has ended.
    if (this.runner.over && (remedy !== 'none' || (this.playback === 'stalled' && this.runner.atEnd))) return this.off()
    if (remedy !== 'none') {
      this.watcher?.poke()
      this.runner.repair(remedy, this.following)
    }
    if (this.playback === 'playing') this.catchUp()
    // A server that is away is no weak connection.
    if (this.phase === 'reconnecting') this.health.forgive()
    this.offerPoor = this.mode !== 'poor' && !this.poorRefused && this.seen && this.health.poor(now_ms)
    if (this.offerPoor && this.runner.starved) this.setMode('poor')
  }

  /** A live viewer who fell behind (a long stall, a hidden tab) is brought back; one who went back is left in peace. */
  private catchUp(): void {
    const { engine, wanted } = this.runner
    if (wanted && this.following && (engine?.playhead.behind_s ?? 0) > DRIFT_S) engine?.jump()
  }

  /** Reads the playhead into what is shown. */
  private look(): void {
    const { engine } = this.runner
    if (this.runner.whep) {
      this.timeline = null
      void this.runner.whep.delay_ms().then(
        (delay_ms) => this.runner.whep && (this.latency_ms = delay_ms),
        () => undefined,
      )
      return
    }
    if (!engine || !this.media) return
    if (this.replay) return this.lookAtReplay()
    const { playhead } = engine
    const { at_ms, behind_s } = playhead
    this.runner.look()
    this.latency_ms = at_ms === null ? null : Math.max(0, Date.now() + this.clockOffset_ms - at_ms)
    const timeline = liveTimeline(playhead, this.dvr.start_ms, this.wanted_ms)
    if (!timeline) return
    this.timeline = timeline
    const nearLive = behind_s !== null && behind_s < LIVE_SLACK_S / 2 && this.runner.source === 'live'
    if (nearLive && this.wanted_ms === null && !this.paused) this.following = true
  }

  private lookAtReplay(): void {
    this.runner.look()
    const place = this.recording.look()
    if (!place) return
    this.timeline = place
    if (this.seen && this.recording.hasCaughtUp(place)) this.goLive()
  }
}
