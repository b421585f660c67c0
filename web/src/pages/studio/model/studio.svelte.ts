/**
 * The studio of one room, the only place where its parts meet: what this page films (`inputs`) and sends (`sender`), what the
 * server says of the room, and the running day with its taps (`day`, `controls`).
 */

import { ask } from '$lib/api/client'
import type { PageConfig } from '$lib/config'
import type { StartOptions } from '$lib/whip/client'
import { Day } from './day.svelte'
import { RoomControls } from './room-controls.svelte'
import type { Entered } from './entry'
import { Inputs } from './inputs.svelte'
import type { StudioRoom } from './place'
import { Preferences } from './preferences.svelte'
import { sourceReport } from './reports'
import { RoomWatch, type RoomReading } from './room'
import { Sender } from './sender.svelte'
import { otherPublisher, tally, type Tally } from './tally'

const POLL_MS = 1500
const TICK_MS = 1000

export class Studio {
  room = $state.raw<RoomReading>({ info: null, problem: '', atMs: 0, clockOffsetMs: 0 })
  nowMs = $state(Date.now())
  readonly preferences: Preferences
  readonly inputs: Inputs
  readonly sender: Sender
  readonly day: Day
  readonly controls: RoomControls

  readonly tally: Tally = $derived.by(() =>
    tally({
      whip: this.sender.whip,
      room: this.room.info,
      source: this.place.source,
      previewing: this.inputs.any,
      nowMs: this.nowMs,
    }),
  )
  readonly other = $derived.by(() => otherPublisher(this.room.info, this.place.source, this.sender.whip))
  readonly source = $derived.by(() => this.room.info?.sources[this.place.source] ?? null)
  readonly crew = $derived.by(() => this.room.info?.crew ?? null)
  /** Sending is being on air: the room begins by itself, and nothing is planned that it would wait for. */
  readonly free = $derived.by(
    () => this.crew !== null && this.crew.auto && this.crew.next === null && this.crew.session === null,
  )

  private readonly roomWatch: RoomWatch
  private readonly timers: ReturnType<typeof setInterval>[] = []
  /** Chromium tells; it is kept up to date by the browser. */
  private battery: { level: number; charging: boolean } | null = null
  private readonly abort = new AbortController()

  constructor(
    readonly config: PageConfig,
    readonly place: StudioRoom,
    /** Of the link; '' where the login cookie counts. */
    readonly token: string,
    stores: { settings: Storage; session: Storage },
  ) {
    const clock = {
      setTimeout: (run: () => void, ms: number): unknown => window.setTimeout(run, ms),
      clearTimeout: (handle: unknown): void => window.clearTimeout(handle as number | undefined),
      now: () => Date.now(),
      fetch: (url: string, init: RequestInit) => fetch(url, token ? init : byCookie(init)),
    }
    this.preferences = new Preferences(stores.settings, place.id)
    this.inputs = new Inputs(this.preferences, place, {
      publishing: () => this.sender.publishing,
      tracksChanged: () => this.sender.tracksChanged(this.inputs.tracks()),
      encoderChanged: () => this.sender.encoderChanged(),
    })
    this.sender = new Sender(config, place, token, this.preferences, {
      ...clock,
      readRoom: () => this.roomWatch.read(),
      ready: () => this.inputs.ready(),
      facts: () => ({ session: this.crew?.session?.id ?? null, devices: this.inputs.devicesInUse }),
      store: stores.session,
    })
    this.day = new Day(place.id, token, { refresh: () => void this.roomWatch.read(), store: stores.settings })
    this.controls = new RoomControls(this.day, place.name)
    this.roomWatch = new RoomWatch(
      clock,
      `/api/v1/rooms/${encodeURIComponent(place.id)}`,
      token,
      (state) => this.roomChanged(state),
      POLL_MS,
    )
  }

  get settings() {
    return this.preferences.current
  }

  /**
   * Starts watching the room and, after a reload, takes up where the page left off.
   *
   * @param told the room and the rights, as far as they have just been read
   */
  start(told: Entered): void {
    const { signal } = this.abort
    // Before the sender's, which ends the publication: Chromium calls a window's own listeners in the order of their making,
    // those that capture as well.
    for (const leaving of ['pagehide', 'freeze'] as const) {
      const target: EventTarget = leaving === 'pagehide' ? window : document
      target.addEventListener(leaving, () => this.leave(leaving), { signal })
    }
    this.sender.start(signal)
    this.inputs.start(signal)
    if (told.room) this.roomWatch.begin(told.room)
    this.roomWatch.start()
    this.day.start(told.me)
    this.timers.push(setInterval(() => this.tick(), TICK_MS))
    window.addEventListener('online', () => this.day.poke(), { signal })
    document.addEventListener('visibilitychange', () => this.seen(), { signal })
    void this.watchBattery()
    void this.resume()
  }

  stop(): void {
    this.timers.forEach(clearInterval)
    this.roomWatch.stop()
    this.day.stop()
    this.abort.abort()
  }

  setShortcuts(shortcuts: boolean): void {
    this.preferences.change({ shortcuts })
  }

  async send(options: StartOptions = {}): Promise<void> {
    if (this.inputs.environment === null) await this.sender.go(options)
  }

  /** Goes on with what was sent before the page was left, in one press. */
  async goOn(): Promise<void> {
    if (!this.inputs.any) await this.inputs.openAll()
    if (this.inputs.any) await this.send()
  }

  private async resume(): Promise<void> {
    if (this.inputs.environment) return
    const air = this.sender.wasSending()
    this.inputs.screenWanted = air !== null && this.settings.scene !== 'camera'
    if (!air && !this.settings.previewing) return
    const told = this.told()
    await this.inputs.openAll()
    if (!air) return
    // Which session is on air decides whether it may go on by itself.
    await told
    // A reload or a restored tab goes on; whoever comes along the link again decides anew.
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
    await this.sender.resume(air, navigation !== undefined && navigation.type !== 'navigate')
  }

  /** The room's state is known. A server that starts again is waited for. */
  private async told(): Promise<void> {
    while (this.room.info === null && !this.abort.signal.aborted) {
      if ((await this.roomWatch.read()).info !== null) return
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }

  private seen(): void {
    if (document.hidden) return
    this.sender.seen()
    this.day.poke()
    void this.roomWatch.read()
  }

  private roomChanged(state: RoomReading): void {
    this.room = state
    this.sender.roomChanged(state)
    if (state.problem === '') this.day.take(state.info?.crew ?? null, Date.now() + state.clockOffsetMs)
  }

  private tick(): void {
    this.nowMs = Date.now()
    this.day.tick(this.nowMs + this.room.clockOffsetMs)
    void this.sender.tick(this.nowMs)
    if (this.sender.publishing) this.report()
  }

  /** So that an alarm names its cause: a microphone that was unplugged, a page that was closed. */
  private report(): void {
    this.day.report(
      sourceReport({
        source: this.place.source,
        inputs: this.inputs.reports(),
        hidden: document.hidden,
        battery: this.battery,
        stats: this.sender.stats,
      }),
    )
  }

  /** A socket's last message may be lost with the page; a request goes on without it. */
  private leave(leaving: 'pagehide' | 'freeze'): void {
    if (!this.sender.publishing) return
    const of = `rooms/${encodeURIComponent(this.place.id)}/sources/${encodeURIComponent(this.place.source)}`
    // It is sent to its end, though the page is left.
    void ask(`/api/v1/${of}/leaving`, {
      method: 'POST',
      json: { leaving },
      keepalive: true,
      timeout_ms: null,
      token: this.token,
    })
  }

  private async watchBattery(): Promise<void> {
    const battery = (navigator as { getBattery?: () => Promise<{ level: number; charging: boolean }> }).getBattery
    this.battery = (await battery?.call(navigator).catch(() => null)) ?? null
  }
}

/** Without a token of its own a publication goes by the login cookie, which a request with one leaves at home. */
export function byCookie(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers)
  headers.delete('Authorization')
  return { ...init, headers, credentials: 'same-origin' }
}
