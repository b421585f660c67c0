import { getJson, localPath, withLink } from '$lib/api'
import type { PageConfig } from '$lib/config'
import { applyTheme } from '$lib/theme'
import { follow, spread } from '$lib/live/follow'
import type { LiveEvent } from '$lib/live/socket'
import {
  DEFAULT_ZONE,
  type EventInfo,
  isClosed,
  readEvent,
  readSession,
  readVenue,
  type Session,
  type Venue,
} from '$lib/protocol/day'
import { type RoomStatus, readStatus } from '$lib/protocol/room'
import { Backoff } from '$lib/backoff'
import { outputOf } from '$features/player/output'
import { type Mode, Player } from '$features/player/player-state.svelte'
import { resumePlaces } from '$features/player/resume'
import { paceOf, type Stage, stageOf } from './stage'
import { readRecording } from './wire'

/** The public output goes on after the session: what a viewer has not seen yet of it is played to its end. */
const PLAY_OUT_MS = 5_000
const MOST_DOWNLOAD_ASKED = 10

/** One session from its countdown to its replay: asks, follows, and tells the player what there is to play. */
export class SessionPage {
  session = $state.raw<Session | null>(null)
  room = $state.raw<RoomStatus | null>(null)
  venue = $state.raw<Venue | null>(null)
  event = $state.raw<EventInfo | null>(null)
  /** The names of its rooms besides the one that carries it. */
  others = $state.raw<readonly string[]>([])
  /** The MP4, where there is one. */
  download = $state.raw<string | null>(null)
  /** There is none, or none that we may know of. */
  unknown = $state(false)
  unreachable = $state(false)
  player = $state.raw<Player | null>(null)
  /** It was live while this page was open. */
  seenLive = $state(false)
  now_ms = $state(Date.now())
  /** The address of a recording that is not published, for who may see it. */
  private early = $state.raw<string | null>(null)

  readonly stage: Stage | null = $derived(this.session && stageOf(this.session, this.room, this.early, this.now_ms))
  readonly zone = $derived(this.venue?.timezone ?? DEFAULT_ZONE)
  /** Only those who were told can see what plays now. */
  readonly onlyYou = $derived(this.stage === 'replay' && this.session?.replayUrl === null)
  readonly replayUrl = $derived(this.session?.replayUrl ?? this.early)

  /** Until the first question has an answer, or none. */
  readonly asked: Promise<void>
  private hasAsked: () => void = () => undefined

  private readonly places = resumePlaces()
  private stopped = false
  private asking = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private clock: ReturnType<typeof setInterval> | undefined
  private playOut: ReturnType<typeof setTimeout> | undefined
  private recordingOf = ''
  private downloadAsked = 0
  private readonly backoff = new Backoff(1_000, 15_000)
  private leave: () => void = () => undefined

  constructor(
    readonly id: string,
    private readonly config: PageConfig,
    private readonly mode: Mode,
    /** The place that the address names, seconds from the start of the recording; it is gone to once. */
    private offset_s: number | null = null,
  ) {
    this.asked = new Promise((resolve) => (this.hasAsked = resolve))
  }

  start(): void {
    this.clock = setInterval(() => this.tick(), 1_000)
    const ask = spread(() => void this.ask())
    this.leave = follow(
      { session: this.id },
      { onsnapshot: (_data, reset) => reset && ask(), onevents: (events) => this.events(events, ask) },
    )
    void this.ask()
  }

  stop(): void {
    this.keepPlace()
    this.stopped = true
    this.leave()
    clearInterval(this.clock)
    clearTimeout(this.timer)
    clearTimeout(this.playOut)
  }

  /** Asks now: the tab came back, the viewer pressed. */
  async ask(): Promise<void> {
    if (this.asking || this.stopped) return
    this.asking = true
    clearTimeout(this.timer)
    let wait_ms: number
    try {
      const body = await getJson(withLink(`/sessions/${encodeURIComponent(this.id)}`))
      const session = readSession(body)
      this.unreachable = false
      this.unknown = session === null
      if (session) await this.learn(session)
      this.backoff.reset()
      const [least, most] = session && this.stage ? this.pace(session, this.stage) : [30_000, 60_000]
      wait_ms = least + (most - least) * Math.random()
    } catch {
      this.unreachable = true
      wait_ms = this.backoff.next()
    }
    this.asking = false
    this.hasAsked()
    if (!this.stopped) this.timer = setTimeout(() => void this.ask(), wait_ms)
  }

  /** The viewer wants the recording, from its start or where they left it, with sound. */
  watchReplay(growing: boolean, start_s = 0): void {
    const { player, replayUrl } = this
    if (!player || !replayUrl) return
    player.watchReplay({ address: localPath(replayUrl), growing }, player.replay ? undefined : start_s)
    player.press()
    player.unmute()
  }

  private pace(session: Session, stage: Stage): readonly [number, number] {
    // The file is there a moment after the replay.
    if (stage === 'replay' && this.download === null && this.downloadAsked++ < MOST_DOWNLOAD_ASKED)
      return [3_000, 5_000]
    return paceOf(session, stage, Date.now())
  }

  private async learn(session: Session): Promise<void> {
    // Without a room nothing is told, and there is nothing to play.
    if (session.room === '') this.leave()
    const room = session.room === '' ? null : await this.roomOf(session.room)
    if (session.state === 'ended') await this.learnRecording(session)
    this.now_ms = Date.now()
    this.session = session
    this.room = room
    this.become()
    const venue = room?.venue ?? session.venue
    if (venue && this.venue?.id !== venue) {
      this.venue = await getJson(`/venues/${encodeURIComponent(venue)}`).then(readVenue, () => null)
    }
    if (session.alsoIn.length !== this.others.length) {
      this.others = await Promise.all(
        session.alsoIn.map((id) =>
          this.roomOf(id).then(
            (other) => other?.name ?? id,
            () => id,
          ),
        ),
      )
    }
    if (session.event && this.event?.id !== session.event) {
      this.event = await getJson(`/events/${encodeURIComponent(session.event)}`).then(readEvent, () => null)
    }
    if (this.venue || this.event) applyTheme(this.venue, this.event)
  }

  private async roomOf(id: string): Promise<RoomStatus | null> {
    return readStatus(await getJson(`/rooms/${encodeURIComponent(id)}`), null)
  }

  private async learnRecording(session: Session): Promise<void> {
    // Again when it is published, or no longer is.
    const key = `${session.replayUrl}`
    if (this.recordingOf === key && this.download !== null) return
    const recording = await getJson(withLink(`/recordings/${encodeURIComponent(session.id)}`)).then(
      readRecording,
      () => null,
    )
    this.recordingOf = key
    this.download = recording?.downloadUrl ? localPath(recording.downloadUrl) : null
    this.early = session.replayUrl === null ? (recording?.replayUrl ?? null) : null
  }

  private events(events: readonly LiveEvent[], ask: () => void): void {
    for (const { type, data } of events) {
      if (type === 'broadcast.changed') ask()
      if (type === 'session.changed' && data['id'] === this.id) ask()
    }
  }

  private tick(): void {
    const before = this.stage
    this.now_ms = Date.now()
    this.keepPlace()
    if (this.stage !== before) void this.ask()
  }

  /** Seconds from the start at which this browser left the recording; null: nowhere. */
  get left_s(): number | null {
    return this.places.of(this.id)
  }

  /** Remembers where the recording is. */
  private keepPlace(): void {
    const { player } = this
    const timeline = player?.timeline
    if (!player?.replay || player.replay.growing || timeline?.unit !== 'span') return
    const at_ms = player.recording.finished ? timeline.end_ms : timeline.at_ms
    this.places.keep(this.id, at_ms / 1000, timeline.end_ms / 1000)
  }

  /** Makes what there is to play out of what is known. */
  private become(): void {
    const { session, stage } = this
    if (!session || !stage || session.room === '') return
    const closed = isClosed(session)
    // A closed session without its key is one that we may not see.
    const output = closed && session.crew ? closedOutput(session.crew.liveUrl) : outputOf(session.room)
    this.player ??= new Player({
      room: session.room,
      mode: this.mode,
      whep: this.config.whep && !closed,
      iceServers: this.config.iceServers,
      autoplay: true,
      output,
      follow: false,
    })
    this.player.setOutput(output)
    const live = stage === 'live' || stage === 'hold'
    this.seenLive ||= live
    clearTimeout(this.playOut)
    if (live) this.tell(closed ? 'live' : (this.room?.state ?? 'live'))
    else if (this.player.status?.state === 'live' && this.player.replay === null) {
      this.playOut = setTimeout(() => this.tell('off'), PLAY_OUT_MS)
    } else this.tell('off')
    if (this.offset_s !== null && this.replayUrl && (live || stage === 'replay')) {
      this.player.watchReplay({ address: localPath(this.replayUrl), growing: live }, this.offset_s)
      this.offset_s = null
    }
    const { replay } = this.player
    if (replay?.growing && !live) this.player.watchReplay({ ...replay, growing: false })
  }

  private tell(state: RoomStatus['state']): void {
    const { session, room, player } = this
    if (!session || !player) return
    player.tell({
      kind: 'status',
      status: {
        id: session.room,
        state,
        name: room?.name ?? '',
        venue: room?.venue ?? null,
        title: session.title,
        next: null,
        word: null,
        session,
        following: null,
        reservedUntil_ms: null,
        hold: room?.hold ?? null,
        elsewhere: null,
        clockOffset_ms: null,
      },
    })
  }
}

function closedOutput(playlist: string) {
  return { playlist, still: playlist.replace(/index\.m3u8$/, 'still.jpg') }
}
