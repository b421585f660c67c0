/**
 * The inputs of this page: devices, the compositor and the mixer. One picture and one sound come out, whoever takes
 * them. Edges to the browser's media; panels read its state and call its verbs.
 */

import { Capture, type CaptureKind } from '$lib/capture/capture'
import { choose, type DeviceLists } from '$lib/capture/devices'
import { decibels, LevelMeter, type ChannelLevel, type LevelHint } from '$lib/capture/level'
import { Mixer } from '$lib/capture/mixer'
import { contentHint, FRAME_RATE, PICTURES, type PictureSize, type SoundPreset } from '$lib/capture/presets'
import { VoiceWatch } from '$lib/capture/voice'
import { captureProblem, environmentProblem, type CaptureProblem } from '$lib/capture/problems'
import { createCompositor, type Compositor } from '$lib/compositor/compositor'
import type { Corner, Scene, Size, SourceName } from '$lib/compositor/geometry'
import type { OutgoingTracks } from '$lib/whip/client'
import type { StudioRoom } from './place'
import type { Preferences } from './preferences.svelte'
import { inputReport, type InputReport } from './reports'

const LEVELS_MS = 50
const DARK_AFTER_S = 4
/** A device that a person chose so long ago is the one that is meant. */
const CHOSEN_MS = 5_000
/** A page that starts, or a tab that comes back, stumbles for a moment. */
const SLOW_AFTER_S = 4

export interface InputPorts {
  /** Whether somebody gets the picture now. */
  publishing: () => boolean
  tracksChanged: () => Promise<void>
  encoderChanged: () => Promise<void>
}

export class Inputs {
  devices = $state.raw<DeviceLists>({ cameras: [], microphones: [] })
  /** Why a device is not there; '' while all is well. */
  problems = $state<Record<CaptureKind, CaptureProblem | 'unplugged' | ''>>({
    camera: '',
    microphone: '',
    screen: '',
    ambient: '',
  })
  muted = $state<Record<CaptureKind, boolean>>({ camera: false, microphone: false, screen: false, ambient: false })
  open = $state<Record<CaptureKind, boolean>>({ camera: false, microphone: false, screen: false, ambient: false })
  opening = $state(false)
  sizes = $state<Partial<Record<SourceName, Size>>>({})
  screenSound = $state(false)
  microphoneOff = $state(false)
  levels = $state.raw<readonly ChannelLevel[]>([])
  levelHint = $state<LevelHint>('')
  dark = $state(false)
  composed = $state({ engine: '' as Compositor['engine'] | '', slow: false })
  preview = $state.raw<MediaStream | null>(null)
  /** A screen was shared before the reload; only a person can share it again. */
  screenWanted = $state(false)
  readonly environment: CaptureProblem | null

  /** Something is open that could be sent. */
  readonly any = $derived.by(() => this.open.camera || this.open.microphone || this.open.screen)

  private readonly capture = new Capture({
    onEnded: (kind) => this.lostDevice(kind),
    onMuted: (kind, muted) => (this.muted[kind] = muted),
  })
  private mixer: Mixer | null = null
  private compositor: Compositor | null = null
  private compositorStarting: Promise<void> | null = null
  private readonly meter = new LevelMeter()
  private readonly labels = { camera: '', microphone: '', ambient: '' }
  private readonly voices = { microphone: new VoiceWatch(), ambient: new VoiceWatch() }
  private microphoneChosenMs = -Infinity
  private darkSeconds = 0
  private skippedBefore = 0
  private slowSeconds = 0
  private microphoneTrack: MediaStreamTrack | null = null
  private screenTrack: MediaStreamTrack | null = null
  private levelsTimer: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly preferences: Preferences,
    private readonly place: StudioRoom,
    private readonly ports: InputPorts,
  ) {
    this.environment = environmentProblem({ isSecureContext, mediaDevices: navigator.mediaDevices })
  }

  private get settings() {
    return this.preferences.current
  }

  /** @param signal ends it */
  start(signal: AbortSignal): void {
    this.levelsTimer = setInterval(() => this.readLevels(), LEVELS_MS)
    // Sound processing may only begin once the page was touched.
    document.addEventListener('pointerdown', () => void this.mixer?.resume(), { signal })
    document.addEventListener('keydown', () => void this.mixer?.resume(), { signal })
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.devicesChanged(), { signal })
    signal.addEventListener('abort', () => {
      clearInterval(this.levelsTimer)
      this.closeAll()
    })
  }

  /**
   * The camera and the microphone that are open, to tell whether they are those of before. By their names: some browsers
   * make new ids for each page that is loaded.
   */
  get devicesInUse(): string {
    const { camera, microphone } = this.labels
    return JSON.stringify([this.open.camera ? camera : '', this.open.microphone ? microphone : ''])
  }

  /** Gets a picture ready, of whatever there is. */
  async ready(): Promise<OutgoingTracks> {
    await this.startCompositor()
    return this.tracks()
  }

  /** Opens camera and microphone as chosen. Never rejects: what fails is in `problems`. */
  async openAll(): Promise<void> {
    if (this.environment || this.opening) return
    this.opening = true
    try {
      await this.startCompositor()
      // One after the other: two permission prompts at once confuse people and Firefox.
      if (this.settings.camera) await this.openCamera()
      if (this.settings.microphone) await this.openMicrophone()
      if (this.settings.ambientId) await this.openAmbient()
      this.change({ previewing: this.open.camera || this.open.microphone })
      await this.devicesChanged()
    } finally {
      this.opening = false
    }
  }

  closeAll(): void {
    this.change({ previewing: false })
    for (const kind of ['camera', 'microphone', 'screen', 'ambient'] as const) this.closeDevice(kind)
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
    this.microphoneChosenMs = performance.now()
    this.change({ microphone: id !== null, microphoneId: id ?? this.settings.microphoneId })
    if (id === null) this.closeDevice('microphone')
    else if (this.active()) await this.openMicrophone()
  }

  /** The room's microphone: nobody hears it, it tells that the other one is silent. Null: none. */
  async chooseAmbient(id: string | null): Promise<void> {
    this.change({ ambientId: id ?? '' })
    if (id === null) this.closeDevice('ambient')
    else if (this.active()) await this.openAmbient()
  }

  async chooseSound(sound: SoundPreset): Promise<void> {
    this.change({ sound })
    await this.ports.encoderChanged()
    if (this.open.microphone) await this.openMicrophone()
  }

  /** Another picture size is another canvas; the panels offer it only off air. */
  async choosePicture(picture: PictureSize): Promise<void> {
    this.change({ picture })
    await this.ports.encoderChanged()
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

  setMicrophoneOff(off: boolean): void {
    this.microphoneOff = off
    this.mixer?.setGain('microphone', off ? 0 : 1)
    // Where the mixer does not run, the raw track goes out.
    if (this.microphoneTrack) this.microphoneTrack.enabled = !off
  }

  private active(): boolean {
    return this.settings.previewing || this.open.screen || this.ports.publishing()
  }

  private async openCamera(): Promise<void> {
    const { cameraId, picture } = this.settings
    await this.startCompositor()
    const track = await this.opened('camera', cameraId, (id) =>
      this.capture.camera(id, picture, id === '' && matchMedia('(pointer: coarse)').matches ? 'environment' : ''),
    )
    if (!track) return
    this.labels.camera = track.label
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
    this.labels.microphone = track.label
    this.microphoneTrack = track
    track.enabled = !this.microphoneOff
    this.meter.reset()
    this.needMixer().attach('microphone', track)
    await this.mixerRunning()
    await this.outgoingChanged()
  }

  private async openAmbient(): Promise<void> {
    this.problems.ambient = ''
    try {
      const { audio } = await this.capture.microphone(this.settings.ambientId, this.settings.sound, 'ambient')
      if (!audio) return
      this.labels.ambient = audio.label
      this.open.ambient = true
      this.muted.ambient = false
      this.voices.ambient.reset()
      this.needMixer().listen(audio)
    } catch (error) {
      this.problems.ambient = captureProblem(error)
      this.open.ambient = false
    }
  }

  /** Reports of the inputs, before mixing. */
  reports(): (InputReport | null)[] {
    const { camera, microphone, ambientId } = this.settings
    const of = (name: 'camera' | 'microphone' | 'ambient') => ({
      name,
      open: this.open[name],
      muted: this.muted[name],
      problem: this.problems[name],
      device: this.labels[name],
    })
    const heard = (name: 'microphone' | 'ambient') =>
      this.mixer?.running ? { levelDb: this.voices[name].peakDb, voice: this.voices[name].voice } : {}
    return [
      inputReport({ ...of('camera'), wanted: camera }),
      inputReport({
        ...of('microphone'),
        ...heard('microphone'),
        wanted: microphone,
        off: this.microphoneOff,
        chosen: performance.now() - this.microphoneChosenMs < CHOSEN_MS,
        suppression: this.microphoneTrack?.getSettings().noiseSuppression ?? null,
      }),
      inputReport({ ...of('ambient'), ...heard('ambient'), wanted: ambientId !== '' }),
    ]
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
    if (kind === 'ambient') this.mixer?.listen(null)
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
    if (kind !== 'ambient') void this.askPermission(kind)
  }

  /** A browser ends tracks as well where somebody takes its permission away. */
  private async askPermission(kind: 'camera' | 'microphone'): Promise<void> {
    try {
      const { state } = await navigator.permissions.query({ name: kind as PermissionName })
      if (state !== 'granted' && this.problems[kind] === 'unplugged') this.problems[kind] = 'denied'
    } catch {
      // It does not tell: the device is gone, for whatever reason.
    }
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

  tracks(): OutgoingTracks {
    const mixed = this.mixer?.running ? this.mixer.track : null
    return { video: this.compositor?.track ?? null, audio: mixed ?? this.microphoneTrack }
  }

  private async outgoingChanged(): Promise<void> {
    await this.ports.tracksChanged()
  }

  private readLevels(): void {
    if (!this.mixer?.running) {
      if (this.levels.length > 0) this.levels = []
      return
    }
    const now = performance.now()
    this.meter.take(this.mixer.peaks(), now)
    for (const name of ['microphone', 'ambient'] as const) {
      const peak = this.mixer.peakOf(name)
      if (peak === null) this.voices[name].reset()
      else this.voices[name].take(decibels(peak), now)
    }
    this.levels = this.meter.levels
    this.levelHint = this.open.microphone || this.screenSound ? this.meter.hint(now) : ''
  }

  private change(settings: Parameters<Preferences['change']>[0]): void {
    this.preferences.change(settings)
  }
}
