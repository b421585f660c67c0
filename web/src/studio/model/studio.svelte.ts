/**
 * The studio of one room: devices in, one composed picture and one mixed sound out, and what the server makes of them.
 * Owns every edge (devices, mixer, compositor, WHIP, room polling) and is the only place where they meet; panels read its
 * state and call its verbs.
 */

import { Capture, type CaptureKind } from '$lib/capture/capture'
import { choose, type DeviceLists } from '$lib/capture/devices'
import { LevelMeter, type ChannelLevel, type LevelHint } from '$lib/capture/level'
import { Mixer } from '$lib/capture/mixer'
import {
  contentHint,
  encoderOptions,
  FRAME_RATE,
  PICTURES,
  type PictureSize,
  type SoundPreset,
} from '$lib/capture/presets'
import { captureProblem, environmentProblem, type CaptureProblem } from '$lib/capture/problems'
import { createCompositor, type Compositor } from '$lib/compositor/compositor'
import type { Corner, Scene, Size, SourceName } from '$lib/compositor/geometry'
import { UploadWatch, type UploadAdvice } from '$lib/whip/advice'
import { WhipClient, type OutgoingTracks, type StartOptions, type WhipStatus } from '$lib/whip/client'
import { BrowserPeer } from '$lib/whip/peer'
import { readStats, type OutgoingStats } from '$lib/whip/stats'
import type { PageConfig } from '$lib/config'
import { whipPath, type StudioRoom } from './place'
import { RoomWatch, type RoomState } from './room'
import { loadSettings, markOnAir, saveSettings, wasOnAir, type StudioSettings } from './settings'
import { otherPublisher, SilenceWatch, SourceWatch, tally, type Tally } from './tally'

const POLL_MS = 1500
const TICK_MS = 1000
const LEVELS_MS = 50
const DARK_AFTER_S = 4
/** A page that starts, or a tab that comes back, stumbles for a moment. */
const SLOW_AFTER_S = 4
const LOOK_AGAIN_MS = 600

export class Studio {
  settings = $state<StudioSettings>(undefined as never)
  devices = $state.raw<DeviceLists>({ cameras: [], microphones: [] })
  /** Why a device is not there; '' while all is well. */
  problems = $state<Record<CaptureKind, CaptureProblem | 'unplugged' | ''>>({ camera: '', microphone: '', screen: '' })
  muted = $state<Record<CaptureKind, boolean>>({ camera: false, microphone: false, screen: false })
  open = $state<Record<CaptureKind, boolean>>({ camera: false, microphone: false, screen: false })
  opening = $state(false)
  sizes = $state<Partial<Record<SourceName, Size>>>({})
  screenSound = $state(false)
  microphoneOff = $state(false)
  levels = $state.raw<readonly ChannelLevel[]>([])
  levelHint = $state<LevelHint>('')
  dark = $state(false)
  composed = $state({ engine: '' as Compositor['engine'] | '', slow: false })
  preview = $state.raw<MediaStream | null>(null)
  whip = $state.raw<WhipStatus>(undefined as never)
  stats = $state.raw<OutgoingStats | null>(null)
  advice = $state.raw<UploadAdvice[]>([])
  room = $state.raw<RoomState>({ info: null, problem: '', atMs: 0, clockOffsetMs: 0 })
  nowMs = $state(Date.now())
  /** The page came back on air by itself after a reload. */
  resumed = $state(false)
  /** A screen was shared before the reload; only a person can share it again. */
  screenWanted = $state(false)
  endedAtMs = $state<number | null>(null)
  readonly environment: CaptureProblem | null

  readonly tally: Tally = $derived.by(() =>
    tally({
      whip: this.whip,
      room: this.room.info,
      source: this.place.source,
      previewing: this.open.camera || this.open.microphone || this.open.screen,
      nowMs: this.nowMs,
    }),
  )
  readonly publishing = $derived(!['idle', 'ended', 'refused'].includes(this.whip.state))
  readonly other = $derived.by(() => otherPublisher(this.room.info, this.place.source, this.whip))
  readonly source = $derived.by(() => this.room.info?.sources[this.place.source] ?? null)

  private readonly capture = new Capture({
    onEnded: (kind) => this.lostDevice(kind),
    onMuted: (kind, muted) => (this.muted[kind] = muted),
  })
  private mixer: Mixer | null = null
  private compositor: Compositor | null = null
  private compositorStarting: Promise<void> | null = null
  private readonly meter = new LevelMeter()
  private readonly client: WhipClient
  private readonly roomWatch: RoomWatch
  private readonly sourceWatch = new SourceWatch()
  private readonly silence = new SilenceWatch()
  private readonly upload: UploadWatch
  private ownPublication = ''
  private darkSeconds = 0
  private skippedBefore = 0
  private slowSeconds = 0
  private wakeLock: WakeLockSentinel | null = null
  private microphoneTrack: MediaStreamTrack | null = null
  private lookAgain: ReturnType<typeof setTimeout> | undefined
  private readonly timers: ReturnType<typeof setInterval>[] = []
  private readonly abort = new AbortController()

  constructor(
    readonly config: PageConfig,
    readonly place: StudioRoom,
    readonly token: string,
    private readonly stores: { settings: Storage; session: Storage },
  ) {
    this.settings = loadSettings(stores.settings, place.id)
    this.environment = environmentProblem({ isSecureContext, mediaDevices: navigator.mediaDevices })
    this.upload = new UploadWatch({ neededBitrate: PICTURES[this.settings.picture].needed, holdMs: 5000 })
    const clock = {
      setTimeout: (run: () => void, ms: number): unknown => window.setTimeout(run, ms),
      clearTimeout: (handle: unknown): void => window.clearTimeout(handle as number | undefined),
      now: () => Date.now(),
      fetch: (url: string, init: RequestInit) => fetch(url, init),
    }
    this.client = new WhipClient(
      {
        ...clock,
        createPeer: (tracks, options) => new BrowserPeer(tracks, options, this.config.iceServers as never),
        heldByAnother: () => this.heldByAnother(),
      },
      {
        endpoint: `${location.origin}${whipPath(place)}`,
        token,
        encoder: this.encoder(),
      },
    )
    this.whip = this.client.current
    this.roomWatch = new RoomWatch(
      clock,
      `/api/v1/rooms/${encodeURIComponent(place.id)}`,
      token,
      (state) => this.roomChanged(state),
      POLL_MS,
    )
  }

  // --- life ---------------------------------------------------------------------------------------------------------

  /** Starts watching the room and, after a reload, takes up where the page left off. */
  start(): void {
    const { signal } = this.abort
    this.client.subscribe((status) => this.whipChanged(status))
    this.roomWatch.start()
    this.timers.push(
      setInterval(() => void this.tick(), TICK_MS),
      setInterval(() => this.readLevels(), LEVELS_MS),
    )
    window.addEventListener('online', () => this.client.retryNow(), { signal })
    window.addEventListener('beforeunload', (event) => this.publishing && event.preventDefault(), { signal })
    window.addEventListener('pagehide', (event) => this.left(event), { signal })
    document.addEventListener('visibilitychange', () => this.seen(), { signal })
    // Sound processing may only begin once the page was touched.
    document.addEventListener('pointerdown', () => void this.mixer?.resume(), { signal })
    document.addEventListener('keydown', () => void this.mixer?.resume(), { signal })
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.devicesChanged(), { signal })
    void this.resume()
  }

  stop(): void {
    this.abort.abort()
    this.timers.forEach(clearInterval)
    clearTimeout(this.lookAgain)
    this.roomWatch.stop()
    this.client.end()
    this.closeDevices()
    void this.wakeLock?.release().catch(() => undefined)
  }

  private async resume(): Promise<void> {
    if (this.environment) return
    const air = wasOnAir(this.stores.session, this.place.id, Date.now())
    this.screenWanted = air !== null && this.settings.scene !== 'camera'
    if (!air && !this.settings.previewing) return
    await this.openDevices()
    // A reload or a restored tab goes on; whoever comes along the link again decides anew.
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
    if (!air || navigation?.type === 'navigate') return
    this.resumed = true
    await this.goOnAir({ liveSinceMs: air.since })
  }

  private left(event: PageTransitionEvent): void {
    if (event.persisted) return
    const since = this.whip.liveSinceMs
    if (this.publishing && since !== null) markOnAir(this.stores.session, this.place.id, { since, at: Date.now() })
    // Viewers get the slate at once instead of a picture that stands still.
    this.client.end()
  }

  private seen(): void {
    if (document.hidden) return
    this.client.retryNow()
    void this.roomWatch.read()
    void this.keepAwake()
  }

  // --- devices ------------------------------------------------------------------------------------------------------

  /** Opens camera and microphone as chosen. Never rejects: what fails is in `problems`. */
  async openDevices(): Promise<void> {
    if (this.environment || this.opening) return
    this.opening = true
    try {
      await this.startCompositor()
      // One after the other: two permission prompts at once confuse people and Firefox.
      if (this.settings.camera) await this.openCamera()
      if (this.settings.microphone) await this.openMicrophone()
      this.change({ previewing: this.open.camera || this.open.microphone })
      await this.devicesChanged()
    } finally {
      this.opening = false
    }
  }

  closeDevices(): void {
    this.change({ previewing: false })
    for (const kind of ['camera', 'microphone', 'screen'] as const) this.closeDevice(kind)
    this.preview = null
    this.compositor?.stop()
    this.compositor = null
    this.mixer?.close()
    this.mixer = null
    this.meter.reset()
    this.levels = []
    this.levelHint = ''
    this.sizes = {}
  }

  async chooseCamera(id: string | null): Promise<void> {
    this.change({ camera: id !== null, cameraId: id ?? this.settings.cameraId })
    if (id === null) this.closeDevice('camera')
    else if (this.active()) await this.openCamera()
  }

  async chooseMicrophone(id: string | null): Promise<void> {
    this.change({ microphone: id !== null, microphoneId: id ?? this.settings.microphoneId })
    if (id === null) this.closeDevice('microphone')
    else if (this.active()) await this.openMicrophone()
  }

  async chooseSound(sound: SoundPreset): Promise<void> {
    this.change({ sound })
    await this.client.setEncoder(this.encoder())
    if (this.open.microphone) await this.openMicrophone()
  }

  /** Another picture size is another canvas; the panels offer it only off air. */
  async choosePicture(picture: PictureSize): Promise<void> {
    this.change({ picture })
    await this.client.setEncoder(this.encoder())
    if (!this.compositor) return
    this.compositor.stop()
    this.compositor = null
    await this.startCompositor()
    if (this.open.camera) await this.openCamera()
    if (this.screenTrack) this.current()?.attach('slides', this.screenTrack)
  }

  async shareScreen(): Promise<void> {
    this.problems.screen = ''
    let opened
    try {
      opened = await this.capture.screen()
    } catch (error) {
      // Closing the picker is an answer, not a fault.
      const problem = captureProblem(error)
      this.problems.screen = problem === 'denied' ? '' : problem
      return
    }
    await this.startCompositor()
    this.open.screen = true
    this.screenWanted = false
    this.screenSound = opened.audio !== null
    this.screenTrack = opened.video
    if (opened.video) opened.video.contentHint = 'detail'
    this.compositor?.attach('slides', opened.video)
    this.needMixer().attach('screen', opened.audio)
    if (this.settings.scene === 'camera') this.setScene(this.open.camera ? 'corner' : 'slides')
    this.hint()
    await this.outgoingChanged()
  }

  stopScreen(): void {
    this.closeDevice('screen')
  }

  setScene(scene: Scene): void {
    this.change({ scene })
    this.arrange()
  }

  setCorner(corner: Corner): void {
    this.change({ corner })
    this.arrange()
  }

  setShortcuts(shortcuts: boolean): void {
    this.change({ shortcuts })
  }

  setMicrophoneOff(off: boolean): void {
    this.microphoneOff = off
    this.mixer?.setGain('microphone', off ? 0 : 1)
    // Where the mixer does not run, the raw track goes out.
    if (this.microphoneTrack) this.microphoneTrack.enabled = !off
  }

  private screenTrack: MediaStreamTrack | null = null

  private active(): boolean {
    return this.settings.previewing || this.open.screen || this.publishing
  }

  private async openCamera(): Promise<void> {
    const { cameraId, picture } = this.settings
    await this.startCompositor()
    const track = await this.opened('camera', cameraId, (id) =>
      this.capture.camera(id, picture, id === '' && matchMedia('(pointer: coarse)').matches ? 'environment' : ''),
    )
    if (!track) return
    track.contentHint = 'motion'
    this.change({ cameraId: track.getSettings().deviceId ?? cameraId })
    this.compositor?.attach('camera', track)
    await this.outgoingChanged()
  }

  private async openMicrophone(): Promise<void> {
    const { microphoneId, sound } = this.settings
    const track = await this.opened('microphone', microphoneId, (id) => this.capture.microphone(id, sound))
    if (!track) return
    this.change({ microphoneId: track.getSettings().deviceId ?? microphoneId })
    this.microphoneTrack = track
    track.enabled = !this.microphoneOff
    this.meter.reset()
    this.needMixer().attach('microphone', track)
    await this.mixerRunning()
    await this.outgoingChanged()
  }

  /** The wanted device, or, where it is gone, whatever there is of its kind. */
  private async opened(
    kind: 'camera' | 'microphone',
    wanted: string,
    open: (id: string) => ReturnType<Capture['camera']>,
  ): Promise<MediaStreamTrack | null> {
    this.problems[kind] = ''
    let found
    try {
      found = await open(wanted)
    } catch (first) {
      const problem = captureProblem(first)
      try {
        if (wanted === '' || (problem !== 'overconstrained' && problem !== 'not_found')) throw first
        found = await open('')
      } catch (error) {
        this.problems[kind] = captureProblem(error)
        this.open[kind] = false
        return null
      }
    }
    this.open[kind] = true
    this.muted[kind] = false
    return found.video ?? found.audio
  }

  private closeDevice(kind: CaptureKind): void {
    this.capture.close(kind)
    this.open[kind] = false
    this.muted[kind] = false
    this.problems[kind] = ''
    if (kind === 'camera') this.compositor?.attach('camera', null)
    if (kind === 'microphone') {
      this.microphoneTrack = null
      this.mixer?.attach('microphone', null)
    }
    if (kind === 'screen') {
      this.screenTrack = null
      this.screenSound = false
      this.compositor?.attach('slides', null)
      this.mixer?.attach('screen', null)
      this.hint()
    }
    void this.outgoingChanged()
  }

  /** Unplugged, or the person stopped sharing by the browser's own bar. */
  private lostDevice(kind: CaptureKind): void {
    this.closeDevice(kind)
    if (kind === 'screen') return
    this.problems[kind] = 'unplugged'
    void this.devicesChanged()
  }

  private async devicesChanged(): Promise<void> {
    if (this.environment) return
    try {
      this.devices = await this.capture.devices()
    } catch {
      return
    }
    // Plugged in again (or another one of its kind is there): carry on without a hand.
    const { cameras, microphones } = this.devices
    if (this.problems.camera === 'unplugged' && choose(cameras, this.settings.cameraId) === this.settings.cameraId) {
      await this.openCamera()
    }
    if (this.problems.microphone === 'unplugged' && choose(microphones, this.settings.microphoneId) !== '') {
      await this.openMicrophone()
    }
  }

  // --- picture and sound out ----------------------------------------------------------------------------------------

  private startCompositor(): Promise<void> {
    this.compositorStarting ??= this.makeCompositor().finally(() => (this.compositorStarting = null))
    return this.compositorStarting
  }

  private async makeCompositor(): Promise<void> {
    if (this.compositor) return
    const { width, height } = PICTURES[this.settings.picture]
    this.compositor = await createCompositor({
      size: { width, height },
      rate: FRAME_RATE,
      layout: { scene: this.settings.scene, corner: this.settings.corner },
      placeholder: { title: this.place.name, subtitle: this.place.venue ?? '' },
      onSize: (name, size) => {
        const { [name]: _before, ...others } = this.sizes
        this.sizes = size ? { ...others, [name]: size } : others
      },
      onStats: ({ skipped, dark }) => {
        this.darkSeconds = dark ? this.darkSeconds + 1 : 0
        this.dark = this.darkSeconds >= DARK_AFTER_S
        this.slowSeconds = skipped - this.skippedBefore > FRAME_RATE / 6 ? this.slowSeconds + 1 : 0
        this.composed = { engine: this.compositor?.engine ?? '', slow: this.slowSeconds >= SLOW_AFTER_S }
        this.skippedBefore = skipped
      },
    })
    this.skippedBefore = 0
    this.hint()
    this.preview = new MediaStream([this.compositor.track])
    await this.outgoingChanged()
  }

  /** `compositor` as it is now, where the type checker remembers what it was before an `await`. */
  private current(): Compositor | null {
    return this.compositor
  }

  private arrange(): void {
    const { scene, corner } = this.settings
    this.compositor?.arrange({ scene, corner })
    this.darkSeconds = 0
    this.dark = false
    this.hint()
  }

  private hint(): void {
    if (this.compositor) this.compositor.track.contentHint = contentHint(this.settings.scene, this.open.screen)
  }

  private needMixer(): Mixer {
    this.mixer ??= new Mixer(() => void this.outgoingChanged())
    return this.mixer
  }

  /** Gives sound processing a moment to begin; where the browser holds it back, the microphone goes out unmixed. */
  private async mixerRunning(): Promise<void> {
    const patience = new Promise<void>((resolve) => setTimeout(resolve, 500))
    await Promise.race([this.mixer?.resume().catch(() => undefined), patience])
  }

  private tracks(): OutgoingTracks {
    const mixed = this.mixer?.running ? this.mixer.track : null
    return { video: this.compositor?.track ?? null, audio: mixed ?? this.microphoneTrack }
  }

  private async outgoingChanged(): Promise<void> {
    await this.client.setTracks(this.tracks()).catch(() => undefined)
  }

  private encoder() {
    return encoderOptions(this.settings.picture, this.settings.sound)
  }

  // --- on air -------------------------------------------------------------------------------------------------------

  async goOnAir(options: StartOptions = {}): Promise<void> {
    if (this.environment) return
    await this.startCompositor()
    this.endedAtMs = null
    this.upload.reset()
    this.client.start(this.tracks(), options)
    await this.keepAwake()
  }

  end(): void {
    const wasLive = this.whip.liveSinceMs !== null
    this.client.end()
    this.resumed = false
    this.endedAtMs = wasLive ? Date.now() : null
    markOnAir(this.stores.session, this.place.id, null)
    void this.wakeLock?.release().catch(() => undefined)
    this.wakeLock = null
  }

  private whipChanged(status: WhipStatus): void {
    const before = this.whip
    this.whip = status
    if (status.state === 'live' && before.state !== 'live') {
      this.sourceWatch.reset()
      this.silence.reset(Date.now())
      this.upload.reset()
      this.ownPublication = ''
      this.stats = null
      void this.roomWatch.read()
    }
    if (status.state !== 'live') {
      this.stats = null
      this.advice = []
    }
    // The page is not on air any more and must not come back by itself when it is reloaded.
    if (status.state === 'refused') markOnAir(this.stores.session, this.place.id, null)
  }

  private roomChanged(state: RoomState): void {
    this.room = state
    if (state.problem !== '' || !state.info || this.whip.state !== 'live') return
    const source = state.info.sources[this.place.source]
    this.silence.read(source?.last_packet_ms, state.atMs)
    if (source?.up && !this.ownPublication) this.ownPublication = source.publication ?? ''
    if (!source?.up) {
      // Suspicious: look again soon instead of at the next turn.
      clearTimeout(this.lookAgain)
      this.lookAgain = setTimeout(() => void this.roomWatch.read(), LOOK_AGAIN_MS)
    }
    if (this.sourceWatch.lost(source?.up ?? false, state.atMs)) {
      this.sourceWatch.reset()
      this.client.reconnect('source_lost')
    }
  }

  private async heldByAnother(): Promise<boolean> {
    if (!this.ownPublication) return false
    const { info, problem } = await this.roomWatch.read()
    const source = problem === '' ? info?.sources[this.place.source] : undefined
    return Boolean(source?.up && source.publication && source.publication !== this.ownPublication)
  }

  private async tick(): Promise<void> {
    this.nowMs = Date.now()
    if (this.publishing && this.whip.liveSinceMs !== null) {
      markOnAir(this.stores.session, this.place.id, { since: this.whip.liveSinceMs, at: this.nowMs })
    }
    const { peer } = this.client
    if (this.whip.state !== 'live' || !(peer instanceof BrowserPeer)) return
    const report = await peer.getStats().catch(() => null)
    if (!report || peer !== this.client.peer) return
    const entries = [...(report as unknown as Map<string, Record<string, unknown>>).values()]
    this.stats = readStats(entries, performance.now(), this.stats)
    this.upload.take(this.stats)
    this.advice = this.upload.advice
    if (this.silence.gone(this.upload.silentMs(this.stats.atMs), this.nowMs)) this.client.reconnect('peer_silent')
  }

  private readLevels(): void {
    if (!this.mixer?.running) {
      if (this.levels.length > 0) this.levels = []
      return
    }
    const now = performance.now()
    this.meter.take(this.mixer.peaks(), now)
    this.levels = this.meter.levels
    this.levelHint = this.open.microphone || this.screenSound ? this.meter.hint(now) : ''
  }

  private async keepAwake(): Promise<void> {
    if (!this.publishing || document.hidden || !('wakeLock' in navigator) || this.wakeLock?.released === false) return
    try {
      this.wakeLock = await navigator.wakeLock.request('screen')
    } catch {
      // A low battery, or a policy: the screen may go dark, the broadcast goes on.
    }
  }

  private change(settings: Partial<StudioSettings>): void {
    Object.assign(this.settings, settings)
    saveSettings(this.stores.settings, this.place.id, $state.snapshot(this.settings))
  }
}
