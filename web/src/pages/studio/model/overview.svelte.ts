/* eslint svelte/prefer-svelte-reactivity: "off" -- maps and sets are replaced, never changed in place */
/** All rooms that the holder's grant reaches, and what rings in them. Socket.IO says when to look; REST says what there is. */

import { LiveSocket, type LiveState } from '$lib/live/socket'
import type { CrewMessage } from '$features/talk/model/crew-messages'
import { DEFAULT_ZONE, readVenue, type Venue } from '$lib/protocol/day'
import { type Me, readMe } from '$lib/login'
import type { RoomAlarm, RoomNormal } from './alarms'
import { Api } from '$lib/api/api'
import { newId, readList } from '$lib/api/client'
import { readNumber, readRecord, readText } from '$lib/api/read'
import type { JsonObject, Schema } from '$lib/api/types'
import {
  afterEvents,
  type MarkStore,
  readMark,
  readRoomCrewMessages,
  type RoomCrewMessages,
  unreadOf,
} from './crew-messages'
import { Meters } from './meters'
import { readRoom, type RoomInfo } from './room'
import { commandOf, keyOf, requestOf, type Tap } from './taps'
import { ageOf, type AtAGlance, readAtAGlance, readSound, type RoomPulse, type Sound } from './wall'

const pendingKey = (tap: Tap): string => keyOf(tap) + ('id' in tap ? `/${tap.id}` : '')

export type AlarmTap = Extract<Tap, { alarm: string }>

const POLL_MS = 5_000
const POLL_CONNECTED_MS = 20_000
const SOON_MS = 250
/** Events that change nothing of what REST tells. */
const QUIET = new Set(['meters', 'pulse', 'crew.line', 'trouble'])

export class Overview {
  rooms = $state.raw<readonly RoomInfo[] | null>(null)
  venues = $state.raw<readonly Venue[]>([])
  me = $state.raw<Me | null>(null)
  reachable = $state(true)
  live = $state<LiveState>('closed')
  now_ms = $state(Date.now())
  pending = $state.raw<readonly string[]>([])
  /** Why the last hold or resume of many rooms was not done; '' otherwise. */
  untapped = $state('')
  /** Why the last alarm could not be taken; '' otherwise. */
  trouble = $state('')

  /** The holder is crew in at least one of them. */
  readonly crew = $derived((this.rooms ?? []).some(({ crew }) => crew !== null))
  readonly alarms: readonly RoomAlarm[] = $derived(
    (this.rooms ?? []).flatMap(({ id, name, crew }) =>
      (crew?.alarms ?? []).map((alarm) => ({ ...alarm, room: id, roomName: name })),
    ),
  )
  readonly normals: readonly RoomNormal[] = $derived(
    (this.rooms ?? []).flatMap(({ id, crew }) => (crew?.normals ?? []).map((normal) => ({ ...normal, room: id }))),
  )
  /** The crew's private line of each room. */
  private lines = $state.raw<RoomCrewMessages>(new Map())
  /** Grows where something is said in any room. */
  arrived = $state(0)
  /** Moves when it may have been read elsewhere. */
  private looked = $state(0)
  /** Room -> its last pulse. Read with `now_ms`, which says when to look again. */
  private readonly pulses = new Map<string, RoomPulse>()
  private readonly meters = new Meters()
  /** Since when an answer about the rooms has been outstanding, monotonic ms. */
  private asked_ms: number | null = null
  private readonly api = new Api('')
  private readonly socket = new LiveSocket(
    'studio',
    { room: '*' },
    {
      onsnapshot: (data) => {
        if (Array.isArray(data['lines'])) this.lines = readRoomCrewMessages(data['lines'])
        for (const [room, told] of Object.entries(readRecord(data['rooms']))) {
          this.meters.read(room, readSound(readRecord(readRecord(told)['meters'])['meters']))
        }
        this.hint()
      },
      onevents: (events) => {
        const { rooms, fresh } = afterEvents(this.lines, events)
        this.lines = rooms
        this.arrived += fresh.length
        for (const { type, data } of events) {
          if (type === 'meters') this.meters.read(readText(data['room']), readSound(data['meters']))
          else if (type === 'pulse') this.beat(data)
        }
        if (events.some(({ type }) => !QUIET.has(type))) this.hint()
      },
      onstate: (state) => (this.live = state),
    },
  )
  private timer: ReturnType<typeof setTimeout> | undefined
  private clock: ReturnType<typeof setInterval> | undefined
  private stopped = false
  private hinted = false
  /** The server has said who this is, or that it does not know. */
  private entered = false

  /** @param store where the studio's pages keep how far they have read */
  constructor(private readonly store: MarkStore) {}

  /** A room's messages that were not read in this browser, the newest last. */
  unread(room: string): readonly CrewMessage[] {
    void this.looked
    return unreadOf(this.lines.get(room) ?? [], readMark(this.store, room), this.now_ms)
  }

  /** Something may have been read in another page. */
  look(): void {
    this.looked++
  }

  start(): void {
    this.clock = setInterval(() => (this.now_ms = Date.now()), 1000)
    void this.begin()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    clearInterval(this.clock)
    this.socket.close()
  }

  poke(): void {
    this.socket.poke()
    this.hint()
  }

  /** The greatest age of what is shown of a room, ms. */
  ageOf(room: string): number {
    void this.now_ms
    return ageOf(this.pulses.get(room), this.asked_ms, performance.now())
  }

  /** About how many watch a room. */
  viewersOf(room: string): number {
    void this.now_ms
    return this.pulses.get(room)?.viewers ?? 0
  }

  readinessOf(room: string): AtAGlance | null {
    void this.now_ms
    return this.pulses.get(room)?.readiness ?? null
  }

  /** Calls `draw` with readings of a room's meters. Returns how to stop. */
  onmeters(room: string, draw: (sound: Sound | null) => void): () => void {
    return this.meters.on(room, draw)
  }

  private beat(data: JsonObject): void {
    const heard_ms = performance.now()
    this.pulses.set(readText(data['room']), {
      heard_ms,
      age_ms: readNumber(data['age_ms']),
      viewers: readNumber(data['viewers']),
      readiness: readAtAGlance(data),
    })
  }

  zoneOf(room: string): string {
    const venue = this.rooms?.find(({ id }) => id === room)?.crew?.venue
    return this.venues.find(({ id }) => id === venue)?.timezone ?? DEFAULT_ZONE
  }

  venueName(id: string | null): string {
    return this.venues.find((venue) => venue.id === id)?.name ?? ''
  }

  mayTake(room: string): boolean {
    const crew = this.rooms?.find(({ id }) => id === room)?.crew
    return Boolean(crew) && this.may('alarm.acknowledge')
  }

  get zone(): string {
    return this.venues.find(({ id }) => id === this.me?.venue)?.timezone ?? DEFAULT_ZONE
  }

  may(action: string): boolean {
    return this.me?.actions.includes(action) ?? false
  }

  isPending(tap: Tap): boolean {
    return this.pending.includes(pendingKey(tap))
  }

  /** Holds or resumes rooms, starts or ends a session. What was refused is in `untapped`. */
  async tap(tap: Tap, room = ''): Promise<void> {
    const key = pendingKey(tap) + room
    if (this.pending.includes(key)) return
    this.pending = [...this.pending, key]
    const { path, body, method } = requestOf(tap, room)
    const id = newId()
    const answer = await (method === 'PATCH' ? this.api.patch(path, body, id) : this.api.post(path, body, id))
    this.untapped = answer.ok ? '' : answer.error.code
    await this.read()
    this.pending = this.pending.filter((other) => other !== key)
  }

  /** Takes an alarm, silences it, or calls it normal. */
  async act(alarm: { room: string; id: string }, tap: AlarmTap): Promise<void> {
    const key = alarm.room + alarm.id
    if (this.pending.includes(key)) return
    const command = commandOf(tap)
    if (command === null) return
    this.pending = [...this.pending, key]
    const answer = await this.socket.send(command.name, { room: alarm.room, ...command.data })
    this.trouble = answer.ok ? '' : answer.error.code
    await this.read()
    this.pending = this.pending.filter((other) => other !== key)
  }

  private async begin(): Promise<void> {
    await this.turn()
  }

  /** Says something on a room's crew line. Why it was not said is in `untapped`. */
  async say(room: string, text: string): Promise<void> {
    const key = `say/${room}/${text}`
    if (this.pending.includes(key)) return
    this.pending = [...this.pending, key]
    const answer = await this.socket.send('crew.say', { room, text, to: 'crew' })
    this.untapped = answer.ok ? '' : answer.error.code
    this.pending = this.pending.filter((other) => other !== key)
  }

  private async enter(): Promise<void> {
    const result = await this.api.get<Schema['MeView']>('/api/v1/me')
    if (!result.ok && result.status !== 401 && result.status !== 403) return
    this.entered = true
    if (result.ok) this.me = readMe(result.data)
    // Nobody's page has nothing to connect for.
    if (this.me && !this.stopped) this.socket.start()
    const venues = await this.api.get('/api/v1/venues?limit=200')
    if (venues.ok) this.venues = readList(venues.data, readVenue)?.items ?? []
  }

  private hint(): void {
    this.asked_ms ??= performance.now()
    // Rooms that always say something must not put the answer off for ever.
    if (this.hinted) return
    this.hinted = true
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.turn(), SOON_MS)
  }

  private async turn(): Promise<void> {
    this.hinted = false
    // A page that opens by itself, before the server is there, comes in later.
    if (!this.entered) await this.enter()
    await this.read()
    if (this.stopped || this.hinted) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.turn(), this.live === 'connected' ? POLL_CONNECTED_MS : POLL_MS)
  }

  private async read(): Promise<void> {
    const asked_ms = this.asked_ms
    const rooms = await this.api.all('/api/v1/rooms', {}, readRoom)
    this.reachable = rooms !== null
    if (rooms === null) {
      this.asked_ms ??= performance.now()
      return
    }
    // News of meanwhile have an answer of their own.
    if (this.asked_ms === asked_ms) this.asked_ms = null
    this.rooms = rooms
  }
}
