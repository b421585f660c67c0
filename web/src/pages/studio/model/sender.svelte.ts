/**
 * This page's publication: what the inputs make goes to the room by WHIP, comes back by itself, and says how it does. Sending is
 * not being on air: that is the director's to say.
 */

import { encoderOptions, PICTURES } from '$lib/capture/presets'
import type { PageConfig } from '$lib/config'
import { UploadWatch, type UploadAdvice } from '$lib/whip/advice'
import { WhipClient, type OutgoingTracks, type StartOptions, type WhipStatus } from '$lib/whip/client'
import { BrowserPeer } from '$lib/whip/peer'
import { readStats, type OutgoingStats } from '$lib/whip/stats'
import { whipPath, type StudioRoom } from './place'
import type { Preferences } from './preferences.svelte'
import type { RoomReading } from './room'
import { OnlyTab } from './only-tab'
import { markOnAir, mayResume, wasOnAir, type AirMark } from './settings'
import { SilenceWatch, SourceWatch } from './tally'

const LOOK_AGAIN_MS = 600

export interface SenderPorts {
  setTimeout: (run: () => void, ms: number) => unknown
  clearTimeout: (handle: unknown) => void
  now: () => number
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** One reading of the room now. */
  readRoom: () => Promise<RoomReading>
  /** A picture, ready to be sent. */
  ready: () => Promise<OutgoingTracks>
  /** The session that is on, and the devices in use. */
  facts: () => Omit<AirMark, 'since' | 'at'>
  store: Storage
}

export class Sender {
  whip = $state.raw<WhipStatus>(undefined as never)
  stats = $state.raw<OutgoingStats | null>(null)
  advice = $state.raw<UploadAdvice[]>([])
  /** The page came back by itself after a reload. */
  resumed = $state(false)
  endedAtMs = $state<number | null>(null)
  /** It was sending when it was left, and waits for a press to go on. */
  paused = $state.raw<AirMark | null>(null)
  readonly publishing = $derived(!['idle', 'ended', 'refused'].includes(this.whip.state))

  private readonly client: WhipClient
  private readonly sourceWatch = new SourceWatch()
  private readonly silence = new SilenceWatch()
  private readonly upload: UploadWatch
  private ownPublication = ''
  private wakeLock: WakeLockSentinel | null = null
  private lookAgain: unknown
  private readonly tab: OnlyTab

  constructor(
    config: PageConfig,
    private readonly place: StudioRoom,
    token: string,
    private readonly preferences: Preferences,
    private readonly ports: SenderPorts,
  ) {
    this.upload = new UploadWatch({ neededBitrate: () => PICTURES[preferences.current.picture].needed, holdMs: 5000 })
    this.client = new WhipClient(
      {
        ...ports,
        createPeer: (tracks, options) => new BrowserPeer(tracks, options, config.iceServers as never),
        heldByAnother: () => this.heldByAnother(),
      },
      { endpoint: `${location.origin}${whipPath(place)}`, token, encoder: this.encoder() },
    )
    this.whip = this.client.current
    this.tab = new OnlyTab(`${place.id}.${place.source}`, () => this.publishing)
  }

  /** @param signal ends it */
  start(signal: AbortSignal): void {
    this.client.subscribe((status) => this.whipChanged(status))
    window.addEventListener('online', () => this.client.retryNow(), { signal })
    window.addEventListener('beforeunload', (event) => this.publishing && event.preventDefault(), { signal })
    window.addEventListener('pagehide', (event) => this.left(event), { signal })
    signal.addEventListener('abort', () => {
      this.ports.clearTimeout(this.lookAgain)
      this.client.end()
      this.tab.close()
      void this.wakeLock?.release().catch(() => undefined)
    })
  }

  /** The mark of a tab that was left while it sent, and did not end that itself. */
  wasSending(): AirMark | null {
    return wasOnAir(this.ports.store, this.place.id, Date.now())
  }

  async go(options: StartOptions = {}): Promise<void> {
    const tracks = await this.ports.ready()
    this.endedAtMs = null
    this.paused = null
    this.upload.reset()
    this.client.start(tracks, options)
    await this.keepAwake()
  }

  /** Goes on with what this tab sent before, or waits for a press. @param reloaded and not opened anew */
  async resume(mark: AirMark, reloaded: boolean): Promise<void> {
    const same = mayResume(mark, { ...this.ports.facts(), at: Date.now() })
    if (!reloaded || !same || !(await this.tab.alone())) {
      if (!this.publishing) this.paused = mark
      return
    }
    this.resumed = true
    await this.go({ liveSinceMs: mark.since })
  }

  end(): void {
    const wasLive = this.whip.liveSinceMs !== null
    this.client.end()
    this.resumed = false
    this.paused = null
    this.endedAtMs = wasLive ? Date.now() : null
    markOnAir(this.ports.store, this.place.id, null)
    void this.wakeLock?.release().catch(() => undefined)
    this.wakeLock = null
  }

  async tracksChanged(tracks: OutgoingTracks): Promise<void> {
    await this.client.setTracks(tracks).catch(() => undefined)
  }

  async encoderChanged(): Promise<void> {
    await this.client.setEncoder(this.encoder())
  }

  /** The tab is seen again. */
  seen(): void {
    this.client.retryNow()
    void this.keepAwake()
  }

  /** A new reading of the room: does it still get this page? */
  roomChanged(state: RoomReading): void {
    if (state.problem !== '' || !state.info || this.whip.state !== 'live') return
    const source = state.info.sources[this.place.source]
    this.silence.read(source?.last_packet_ms, state.atMs)
    if (source?.up && !this.ownPublication) this.ownPublication = source.publication ?? ''
    if (!source?.up) {
      // Suspicious: look again soon instead of at the next turn.
      this.ports.clearTimeout(this.lookAgain)
      this.lookAgain = this.ports.setTimeout(() => void this.ports.readRoom(), LOOK_AGAIN_MS)
    }
    if (this.sourceWatch.lost(source?.up ?? false, state.atMs)) {
      this.sourceWatch.reset()
      this.client.reconnect('source_lost')
    }
  }

  /** Once a second. */
  async tick(now_ms: number): Promise<void> {
    if (this.publishing && this.whip.liveSinceMs !== null) {
      this.mark(this.whip.liveSinceMs, now_ms)
    }
    const { peer } = this.client
    if (this.whip.state !== 'live' || !(peer instanceof BrowserPeer)) return
    const report = await peer.getStats().catch(() => null)
    if (!report || peer !== this.client.peer) return
    const entries = [...(report as unknown as Map<string, Record<string, unknown>>).values()]
    this.stats = readStats(entries, performance.now(), this.stats)
    this.upload.take(this.stats)
    this.advice = this.upload.advice
    if (this.silence.gone(this.upload.silentMs(this.stats.atMs), now_ms)) this.client.reconnect('peer_silent')
  }

  private encoder() {
    return encoderOptions(this.preferences.current.picture, this.preferences.current.sound)
  }

  private mark(since: number, at: number): void {
    markOnAir(this.ports.store, this.place.id, { ...this.ports.facts(), since, at })
  }

  private left(event: PageTransitionEvent): void {
    if (event.persisted) return
    const since = this.whip.liveSinceMs
    if (this.publishing && since !== null) this.mark(since, Date.now())
    // Viewers get the slate at once instead of a picture that stands still.
    this.client.end()
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
      void this.ports.readRoom()
    }
    if (status.state !== 'live') {
      this.stats = null
      this.advice = []
    }
    // It is over, and must not come back by itself when the page is reloaded.
    if (status.state === 'refused') markOnAir(this.ports.store, this.place.id, null)
  }

  private async heldByAnother(): Promise<boolean> {
    if (!this.ownPublication) return false
    const { info, problem } = await this.ports.readRoom()
    const source = problem === '' ? info?.sources[this.place.source] : undefined
    return Boolean(source?.up && source.publication && source.publication !== this.ownPublication)
  }

  private async keepAwake(): Promise<void> {
    if (!this.publishing || document.hidden || !('wakeLock' in navigator) || this.wakeLock?.released === false) return
    try {
      this.wakeLock = await navigator.wakeLock.request('screen')
    } catch {
      // A low battery, or a policy: the screen may go dark, the broadcast goes on.
    }
  }
}
