/**
 * The running day of one room, as its technician works with it: sessions, what the room does, alarms, and the taps. What the
 * server said last is shown; a tap that is not answered yet is shown as pending, never as done.
 */

import { listOf, readRecord } from '$lib/api/read'
import { readSession, readVenue, DEFAULT_ZONE, type Session, type Venue } from '$lib/protocol/day'
import { BROWSER_PORTS, LiveSocket, type LiveEvent, type LivePorts, type LiveState } from '$lib/live/socket'
import { type Me, readMe } from '$lib/login'
import { Api } from '$lib/api/api'
import { type ApiError, newId } from '$lib/api/client'
import type { JsonObject, Schema } from '$lib/api/types'
import type { CrewRoom } from './crew-room'
import type { MarkStore } from './crew-messages'
import { CrewChannel } from './crew-channel.svelte'
import { readSessions } from './listing'
import { runningOrder, upsert } from './order'
import { askRecent, type RecentTap } from '$features/actions/recent'
import { readProgrammeSound, type ProgrammeSound } from './source-settings'
import { Rehearsal } from './rehearsal.svelte'
import type { SourceReport } from './reports'
import { commandOf, keyOf, readOutcome, requestOf, type Outcome, type Tap } from './taps'

/** Without Socket.IO the list is asked for so often; with it only to be sure. */
const POLL_MS = 8_000
const POLL_CONNECTED_MS = 60_000
/** A hint is followed by others; one question answers them all. */
const SOON_MS = 150
const COMMAND_LIMIT_MS = 4_000
const ONCE = { timeout_ms: COMMAND_LIMIT_MS, again_ms: 0 }
/** The time for which an action stays in sight with its undo. */
export const UNDO_MS = 60_000
const KEPT = 8

/** Something that was done and can be taken back. */
export interface Done {
  id: number
  tap: Tap
  /** The title of its subject, as it was then. */
  subject: string
  /** Empty for what cannot be taken back. */
  actions: readonly string[]
  at_ms: number
  undone: boolean
}

export interface Trouble {
  tap: Tap
  subject: string
  code: string
  message: string
}

export interface DayPorts {
  /** Asks for the room again: its state is old. */
  refresh: () => void
  live?: LivePorts
  api?: Api
  /** Where it is kept how far the crew's line has been read; none: nowhere. */
  store?: MarkStore
}

const NOWHERE: MarkStore = { getItem: () => null, setItem: () => undefined }

export class Day {
  sessions = $state.raw<readonly Session[]>([])
  /** The list has been read at least once. */
  known = $state(false)
  room = $state.raw<CrewRoom | null>(null)
  me = $state.raw<Me | null>(null)
  venue = $state.raw<Venue | null>(null)
  /** Server time, UTC ms; moves once a second. */
  now_ms = $state(Date.now())
  live = $state<LiveState>('closed')
  /** Keys of taps that are under way. */
  pending = $state.raw<readonly string[]>([])
  done = $state.raw<readonly Done[]>([])
  trouble = $state.raw<Trouble | null>(null)
  /** Everybody's actions here, the newest first; null: not read yet. */
  recent = $state.raw<readonly RecentTap[] | null>(null)

  /** The meters of the programme, four times a second; null where nothing was told. */
  sound = $state.raw<ProgrammeSound | null>(null)

  readonly zone = $derived(this.venue?.timezone ?? DEFAULT_ZONE)
  readonly order = $derived(runningOrder(this.sessions, this.now_ms, this.zone))
  readonly current = $derived(this.room?.session ?? null)
  readonly next = $derived(this.room?.next ?? null)
  readonly allowed: readonly string[] = $derived(this.me?.actions ?? [])
  readonly alarms = $derived(this.room?.alarms ?? [])
  readonly normals = $derived(this.room?.normals ?? [])
  /** The action that the undo bar offers. */
  readonly latest = $derived.by(() => {
    const last = this.done[0]
    return last && this.now_ms - last.at_ms < UNDO_MS ? last : null
  })
  /** The crew's private line. */
  readonly talk: CrewChannel
  readonly rehearsal: Rehearsal
  private readonly api: Api
  private readonly socket: LiveSocket
  private poll: ReturnType<typeof setTimeout> | undefined
  private soon: ReturnType<typeof setTimeout> | undefined
  private generation = 0
  private reading = false
  private stopped = false
  private count = 0
  private venueAsked = ''
  private recentWatched = false

  constructor(
    readonly roomId: string,
    token: string,
    private readonly ports: DayPorts,
  ) {
    this.api = ports.api ?? new Api(token)
    this.rehearsal = new Rehearsal(this.api, roomId)
    this.socket = new LiveSocket(
      'studio',
      { room: roomId, ...(token ? { token } : {}) },
      {
        onsnapshot: (data) => this.snapshot(data),
        onevents: (events) => this.events(events),
        onstate: (state) => (this.live = state),
      },
      ports.live ?? BROWSER_PORTS,
    )
    this.talk = new CrewChannel(roomId, {
      send: (command, data) => this.socket.send(command, data, { timeout_ms: COMMAND_LIMIT_MS }),
      now_ms: () => this.now_ms,
      store: ports.store ?? NOWHERE,
    })
  }

  /** @param me whose link it is, if that is known already */
  start(me: Me | null = null): void {
    this.socket.start()
    if (me) this.me = me
    else void this.whoAmI()
    void this.turn()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.poll)
    clearTimeout(this.soon)
    this.socket.close()
  }

  /** The tab is seen again, the network is back. */
  poke(): void {
    this.socket.poke()
    void this.read()
  }

  /** A new reading of the room. */
  take(room: CrewRoom | null, now_ms: number): void {
    this.now_ms = now_ms
    if (!room) return
    this.room = room
    const told = [room.session, room.next].filter((session) => session !== null)
    if (told.some((session) => differs(session, this.sessions))) this.hint(true)
    if (room.venue && room.venue !== this.venueAsked) void this.readVenue(room.venue)
  }

  tick(now_ms: number): void {
    this.now_ms = now_ms
  }

  isPending(tap: Tap): boolean {
    return this.pending.includes(keyOf(tap))
  }

  may(action: string): boolean {
    return this.allowed.includes(action)
  }

  /** A report of what this page sends. It is not repeated: the next one is newer. */
  report(report: SourceReport): void {
    if (this.socket.state === 'connected') void this.socket.send('source.report', { ...report }, ONCE)
  }

  // --- taps ---------------------------------------------------------------------------------------------------------

  /**
   * Does it, and remembers how to undo it. Never rejects; what was refused is in `trouble`.
   * @param subject a session's title, or what else it is about
   */
  async tap(tap: Tap, subject = ''): Promise<boolean> {
    const key = keyOf(tap)
    if (this.pending.includes(key)) return false
    this.pending = [...this.pending, key]
    if (this.trouble && keyOf(this.trouble.tap) === key) this.trouble = null
    try {
      const result = await this.carry(tap)
      if (!result.ok) {
        const { code, message } = result.error
        this.trouble = { tap, subject, code, message }
        return false
      }
      this.took(tap, subject, readOutcome(result.data))
      return true
    } finally {
      this.pending = this.pending.filter((other) => other !== key)
      // The room's state is the answer that counts.
      this.hint(true)
    }
  }

  /** Takes back what was done, in all rooms that it was done in. */
  async undo(done: Done): Promise<boolean> {
    if (done.undone) return true
    for (const action of [...done.actions].reverse()) {
      if (!(await this.tap({ kind: 'undo', action }, done.subject))) return false
    }
    this.done = this.done.map((one) => (one.id === done.id ? { ...one, undone: true } : one))
    return true
  }

  /** While somebody looks at what was done here, it is kept up to date. */
  watchRecent(on: boolean): void {
    this.recentWatched = on
    if (on) void this.readRecent()
  }

  /** Takes back what anybody did. */
  async undoRecent(tap: RecentTap): Promise<boolean> {
    if (!(await this.tap({ kind: 'undo', action: tap.id }, tap.subject))) return false
    this.done = this.done.map((one) => (one.actions.includes(tap.id) ? { ...one, undone: true } : one))
    await this.readRecent()
    return true
  }

  private async readRecent(): Promise<void> {
    const recent = await askRecent(this.api, this.roomId)
    if (recent !== null && !this.stopped) this.recent = recent
  }

  forgetTrouble(): void {
    this.trouble = null
  }

  /** Out of sight, still in the list. */
  dismiss(): void {
    this.done = this.done.map((one, index) => (index === 0 ? { ...one, at_ms: this.now_ms - UNDO_MS } : one))
  }

  private async carry(tap: Tap): Promise<{ ok: true; data: JsonObject } | { ok: false; error: ApiError }> {
    const command = commandOf(tap)
    const request = requestOf(tap, this.roomId)
    const id = newId()
    if (command && this.socket.state === 'connected') {
      const answer = await this.socket.send(command.name, command.data, { ...ONCE, id })
      if (answer.ok) return answer
      // No answer is no refusal: it is sent again over REST. By its id it is done once.
      const unheard = ['not_connected', 'no_answer', 'timeout', 'unknown_command'].includes(answer.error.code)
      if (!unheard) return answer
    }
    if (request.method === 'DELETE') {
      const result = await this.api.remove(request.path, id)
      return result.ok ? { ok: true, data: {} } : result
    }
    if (request.method === 'PATCH') return this.api.patch(request.path, request.body, id)
    return this.api.post(request.path, request.body, id)
  }

  private took(tap: Tap, subject: string, { actions, sessions }: Outcome): void {
    for (const session of sessions) this.put(session)
    if (tap.kind === 'undo' || 'alarm' in tap) return
    // A tap that cannot be undone is told all the same; one that changed nothing is not.
    if (actions.length === 0 && tap.kind !== 'forget') return
    const done: Done = { id: ++this.count, tap, subject, actions, at_ms: this.now_ms, undone: false }
    this.done = [done, ...this.done].slice(0, KEPT)
  }

  // --- what the server says -----------------------------------------------------------------------------------------

  private put(session: Session): void {
    this.generation++
    this.sessions =
      session.room === this.roomId
        ? upsert(this.sessions, session)
        : this.sessions.filter(({ id }) => id !== session.id)
  }

  private snapshot(data: JsonObject): void {
    this.talk.snapshot(data)
    const { sessions } = readRecord(readRecord(data['rooms'])[this.roomId])
    if (Array.isArray(sessions)) {
      this.generation++
      this.sessions = listOf(readSession)(sessions)
      this.known = true
    }
    this.hint(false)
  }

  private events(events: readonly LiveEvent[]): void {
    let changed = false
    for (const event of events) {
      const { type, data } = event
      if (type === 'meters') this.sound = readProgrammeSound(data['meters'])
      if (type === 'meters' || this.talk.event(event)) continue
      changed = true
      if (type !== 'session.changed') continue
      const session = readSession(data)
      if (session) this.put(session)
      else if (data['removed'] === true) {
        this.generation++
        this.sessions = this.sessions.filter(({ id }) => id !== data['id'])
      }
    }
    if (changed) this.hint(false)
  }

  /** @param sessions the list as well */
  private hint(sessions: boolean): void {
    if (sessions && this.live !== 'connected') void this.read()
    clearTimeout(this.soon)
    this.soon = setTimeout(() => {
      this.ports.refresh()
      if (this.recentWatched) void this.readRecent()
    }, SOON_MS)
  }

  private async turn(): Promise<void> {
    await this.read()
    if (this.me === null) await this.whoAmI()
    if (this.stopped) return
    this.poll = setTimeout(() => void this.turn(), this.live === 'connected' ? POLL_CONNECTED_MS : POLL_MS)
  }

  private async read(): Promise<void> {
    if (this.reading) return
    this.reading = true
    try {
      // A change meanwhile is newer than the answer.
      for (let attempt = 0; attempt < 3; attempt++) {
        const before = this.generation
        const sessions = await readSessions(this.api, this.roomId, this.now_ms)
        if (sessions === null || this.stopped) return
        if (before !== this.generation) continue
        this.sessions = sessions
        this.known = true
        return
      }
    } finally {
      this.reading = false
    }
  }

  private async whoAmI(): Promise<void> {
    const result = await this.api.get<Schema['MeView']>('/api/v1/me')
    if (result.ok && result.data.actions) this.me = readMe(result.data)
  }

  private async readVenue(id: string): Promise<void> {
    this.venueAsked = id
    const result = await this.api.get(`/api/v1/venues/${encodeURIComponent(id)}`)
    const venue = result.ok ? readVenue(result.data) : null
    if (venue) this.venue = venue
    else this.venueAsked = ''
  }
}

function differs(told: Session, sessions: readonly Session[]): boolean {
  const known = sessions.find(({ id }) => id === told.id)
  return (
    !known ||
    known.state !== told.state ||
    known.start_ms !== told.start_ms ||
    known.shownEnd_ms !== told.shownEnd_ms ||
    known.started_ms !== told.started_ms
  )
}
