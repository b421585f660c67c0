import { getJson } from '$lib/api'
import type { ApiError } from '$lib/api/client'
import type { JsonObject } from '$lib/api/types'
import { LiveSocket, type LiveAuth, type LiveEvent, type LiveState } from '$lib/live/socket'
import { spread } from '$lib/live/follow'
import { RoomFeed } from '$lib/live/room-feed'
import { readTime } from '$lib/api/read'
import { readSession, type Session } from '$lib/protocol/day'
import { readStatus, type RoomStatus } from '$lib/protocol/room'
import { ServerClock } from './server-clock'

export interface Listeners {
  onsnapshot?(data: JsonObject, reset: boolean): void
  onevents?(events: readonly LiveEvent[]): void
}

/** Refusals of a credential, not of the room. */
const OF_THE_TOKEN = new Set([
  'invalid_token',
  'grant_not_in_force',
  'grant_ended',
  'revoked',
  'logged_out',
  'unauthorized',
])

/** One room by its `/audience`, for pages without a player: what is on, what is next, and the server's time. */
export class RoomNow {
  status = $state.raw<RoomStatus | null>(null)
  live = $state<LiveState>('connecting')
  /** Why the server let us in no more; null while it does. */
  refusal = $state.raw<ApiError | null>(null)
  /** The token was refused, or is over; what is public goes on without it. */
  expired = $state(false)
  readonly clock = new ServerClock()

  private base: RoomStatus
  private feed: RoomFeed
  private socket: LiveSocket | null = null
  private own = $state.raw<Session | null>(null)
  private readonly ask = spread(() => void this.look())
  private closed = false

  /**
   * @param auth without its room or session: the room's audience
   * @param closedSession an unlisted or private session that has an audience of its own
   */
  constructor(
    readonly room: string,
    name: string,
    private auth: LiveAuth,
    private readonly listeners: Listeners,
    readonly closedSession: string | null = null,
  ) {
    this.base = readStatus({ state: 'off', id: room, name }, null) as RoomStatus
    this.feed = new RoomFeed(room)
  }

  /** The session that is on; in a closed session's audience that one, from before its start until after its end. */
  get session(): Session | null {
    return this.closedSession === null ? (this.status?.session ?? null) : this.own
  }

  get following(): Session | null {
    return this.closedSession === null ? (this.status?.following ?? null) : null
  }

  start(): void {
    const awake = () => document.hidden || this.socket?.poke()
    window.addEventListener('online', awake)
    document.addEventListener('visibilitychange', awake)
    this.forget = () => {
      window.removeEventListener('online', awake)
      document.removeEventListener('visibilitychange', awake)
    }
    this.open()
  }

  /** Comes in anew: with other rights, or after a grant that has begun to reach. */
  again(): void {
    this.socket?.close()
    this.open()
  }

  close(): void {
    this.closed = true
    this.forget()
    this.socket?.close()
  }

  private forget = (): void => undefined

  private open(): void {
    const where = this.closedSession === null ? { room: this.room } : { session: this.closedSession }
    const socket: LiveSocket = new LiveSocket(
      'audience',
      { ...this.auth, ...where },
      {
        onsnapshot: (data, reset) => {
          const at_ms = readTime(data['at'])
          if (at_ms !== null) this.clock.restart(at_ms)
          this.feed.snapshot(data)
          this.own = readSession(data['session']) ?? this.own
          this.listeners.onsnapshot?.(data, reset)
          this.apply()
        },
        onevents: (events) => {
          const last = events.at(-1)
          if (last) this.clock.told(last.at_ms)
          for (const { type, data } of events) {
            if (type !== 'session.changed' || data['id'] !== this.closedSession) continue
            this.own = readSession(data) ?? this.own
          }
          this.listeners.onevents?.(events)
          if (this.feed.events(events)) this.apply()
        },
        onstate: (state, error) => {
          if (this.socket !== socket) return
          this.live = state
          if (state !== 'refused') {
            // Coming back is of no use, whatever the socket makes of it.
            if (error?.code === 'banned') this.refusal = error
            return
          }
          if (this.auth.token !== undefined && error && OF_THE_TOKEN.has(error.code)) {
            this.expired = true
            const { token: _, ...rest } = this.auth
            this.auth = rest
            if (this.closedSession === null) this.again()
            else this.refusal = error
          } else {
            this.refusal = error
          }
        },
      },
    )
    this.socket = socket
    this.refusal = null
    socket.start()
  }

  private apply(): void {
    const status = this.feed.status(this.base)
    if (status) this.status = status
    else this.ask()
  }

  /** For what no event told whole. */
  private async look(): Promise<void> {
    const status = await getJson(`/rooms/${encodeURIComponent(this.room)}`).then(
      (body) => readStatus(body, null),
      () => null,
    )
    if (status && !this.closed) {
      this.base = { ...this.base, name: status.name }
      this.status = status
    }
  }
}
