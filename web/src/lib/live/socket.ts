/**
 * One namespace of the server's Socket.IO, as `streamer/realtime/protocol.md` has it: connects, stays connected, resumes after
 * the last event by `since`, and sends commands that are acknowledged within a time limit.
 *
 * socket.io-client comes by a dynamic import: whoever imports this module loads a few hundred bytes before its first picture.
 */
import { type ApiError, errorOf, newId, readError } from '$lib/api/client'
import type { JsonObject } from '$lib/api/types'
import { isRecord, readNumberOrNull, readRecord, readText, readTime } from '$lib/api/read'
import { Backoff } from '$lib/backoff'

export type Namespace = 'audience' | 'moderation' | 'studio'

export interface LiveAuth {
  /** A room's id, `*` in `/studio` for all that the grant covers, or a session's id instead. */
  room?: string
  session?: string
  token?: string
  name?: string
  place?: string
  /** Of an unlisted session's shared link. */
  key?: string
  /** In `/audience`: a snapshot's `you.key`, where cookies do not come along. */
  participant?: string
}

export interface LiveEvent {
  seq: number
  type: string
  /** Server time, UTC ms. */
  at_ms: number
  /** The media time that the author was watching. */
  mediaAt_ms: number | null
  data: JsonObject
}

export type LiveState =
  | 'closed'
  /** The first attempt, or one after a loss. */
  | 'connecting'
  | 'connected'
  /** Between two attempts. */
  | 'waiting'
  /** The server said no for good: what we have does not open this namespace. */
  | 'refused'

export interface LiveHandlers {
  /** The present state. `reset`: the state before is void, events are missing in between. */
  onsnapshot?(data: JsonObject, reset: boolean): void
  /** New ones, in order, none twice. */
  onevents?(events: readonly LiveEvent[]): void
  onstate?(state: LiveState, error: ApiError | null): void
}

/** A command's acknowledgement. Codes of our own: `not_connected`, `no_answer` (it may have been carried out). */
export type Answer = { ok: true; data: JsonObject } | { ok: false; error: ApiError & { retryAfter_ms: number | null } }

/** As much of socket.io-client's socket as is used here. */
export interface WireSocket {
  connected: boolean
  on(event: string, listener: (...values: never[]) => void): unknown
  connect(): unknown
  disconnect(): unknown
  timeout(ms: number): { emitWithAck(event: string, ...values: unknown[]): Promise<unknown> }
}

export interface LivePorts {
  /** @param auth asked at each attempt */
  open(namespace: Namespace, auth: () => Record<string, unknown>): Promise<WireSocket>
  random: () => number
}

export interface SendOptions {
  /** For each attempt. */
  timeout_ms?: number
  /** The command's; one that is sent again with its id is done once. */
  id?: string
  /** Where no answer comes it is sent again, once there is a connection, for so long; 0: never. */
  again_ms?: number
}

const COMMAND_TIMEOUT_MS = 8_000
const AGAIN_MS = 15_000
/** Between two attempts over a connection that holds. */
const PAUSE_MS = 500
/** No answer says whether it was done. */
export const UNHEARD: ReadonlySet<string> = new Set(['no_answer', 'timeout'])
/** Refusals that another attempt with the same credentials does not change. Others (`not_now`, `too_many`) may pass. */
const FINAL = new Set([
  'invalid_auth',
  'invalid_token',
  'grant_not_in_force',
  'unauthorized',
  'forbidden',
  'out_of_scope',
  'no_such_room',
  'no_such_session',
  'unknown_namespace',
])

export const BROWSER_PORTS: LivePorts = {
  async open(namespace, auth) {
    const { io } = await import('socket.io-client')
    return io(`/${namespace}`, {
      autoConnect: false,
      // One connection for each namespace: they live and end apart. Coming back is decided here, by the reason.
      forceNew: true,
      reconnection: false,
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      timeout: 10_000,
      auth: (give) => give(auth()),
    }) as unknown as WireSocket
  },
  random: Math.random,
}

export class LiveSocket {
  private socket: WireSocket | null = null
  private current: LiveState = 'closed'
  private last: number | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly backoff: Backoff
  /** The server knows a command by its id. */
  private repeats = false
  private readonly returning = new Set<() => void>()

  constructor(
    private readonly namespace: Namespace,
    private auth: LiveAuth,
    private readonly handlers: LiveHandlers,
    private readonly ports: LivePorts = BROWSER_PORTS,
  ) {
    this.backoff = new Backoff(1_000, 30_000, ports.random)
  }

  get state(): LiveState {
    return this.current
  }

  /** The last event's number; null before the first snapshot. */
  get seq(): number | null {
    return this.last
  }

  /** Connects, and goes on trying until it is closed or refused. */
  start(): void {
    if (this.current !== 'closed' && this.current !== 'refused') return
    this.backoff.reset()
    this.become('connecting')
    void this.open()
  }

  /** Tries at once instead of at the next turn (the network is back, the tab is seen again). */
  poke(): void {
    if (this.current !== 'waiting') return
    clearTimeout(this.timer)
    this.become('connecting')
    void this.open()
  }

  /** Another name, place or token: told at the next connection. */
  update(auth: Partial<LiveAuth>): void {
    this.auth = { ...this.auth, ...auth }
  }

  /** Comes anew, with a whole snapshot instead of what was missed. */
  renew(): void {
    if (this.current !== 'connected') return
    this.close()
    this.last = null
    this.start()
  }

  close(): void {
    clearTimeout(this.timer)
    this.become('closed')
    this.socket?.disconnect()
    this.socket = null
  }

  /** Sends a command and waits for its acknowledgement; where that is lost, the same command again. Never rejects. */
  async send(
    command: string,
    data: Record<string, unknown> = {},
    { timeout_ms = COMMAND_TIMEOUT_MS, id = newId(), again_ms = AGAIN_MS }: SendOptions = {},
  ): Promise<Answer> {
    const end_ms = Date.now() + again_ms
    let lost: Answer | null = null
    for (;;) {
      const answer = await this.attempt(command, data, id, timeout_ms)
      const code = answer.ok ? '' : answer.error.code
      // Once it was sent it may have been done, also where the next attempt finds no connection.
      if (UNHEARD.has(code)) lost ??= answer
      else if (code !== 'not_connected' || lost === null) return answer
      if (!this.repeats || !(await this.returned(end_ms))) return lost
    }
  }

  /** @returns whether there is a connection, again or still, before `end_ms` */
  private async returned(end_ms: number): Promise<boolean> {
    if (this.socket?.connected) await this.pause(Math.min(PAUSE_MS, end_ms - Date.now()))
    if (!this.socket?.connected) await this.pause(end_ms - Date.now())
    return this.socket?.connected === true && Date.now() < end_ms
  }

  /** Ends with the next snapshot, or when the page leaves. */
  private pause(most_ms: number): Promise<void> {
    if (most_ms <= 0 || this.current === 'closed' || this.current === 'refused') return Promise.resolve()
    return new Promise((done) => {
      const end = () => {
        clearTimeout(timer)
        this.returning.delete(end)
        done()
      }
      const timer = setTimeout(end, most_ms)
      this.returning.add(end)
    })
  }

  private async attempt(
    command: string,
    data: Record<string, unknown>,
    id: string,
    timeout_ms: number,
  ): Promise<Answer> {
    const { socket } = this
    if (!socket?.connected) return refusal('not_connected')
    let answer: unknown
    try {
      answer = await socket.timeout(timeout_ms).emitWithAck(command, data, ...(this.repeats ? [{ id }] : []))
    } catch {
      return refusal('no_answer')
    }
    if (isRecord(answer) && answer['ok'] === true) return { ok: true, data: answer }
    const error = readError(answer)
    if (!error) return refusal('no_answer')
    const retry_s = readNumberOrNull(readRecord(readRecord(answer)['error'])['retry_after'])
    return { ok: false, error: { ...error, retryAfter_ms: retry_s === null ? null : retry_s * 1000 } }
  }

  private async open(): Promise<void> {
    try {
      const socket = this.socket ?? (await this.ports.open(this.namespace, () => this.handshake()))
      // Closed while the client's code was on its way, or opened twice.
      if (this.current !== 'connecting') return
      if (this.socket !== socket) {
        this.socket = socket
        this.listen(socket)
      }
      socket.connect()
    } catch {
      this.again(null) // The client's code did not load.
    }
  }

  private listen(socket: WireSocket): void {
    const mine = () => this.socket === socket
    socket.on('connect', () => {
      if (!mine()) return
      this.backoff.reset()
      this.become('connected')
    })
    socket.on('snapshot', (data: unknown) => mine() && this.snapshot(data))
    socket.on('events', (batch: unknown) => mine() && this.events(batch))
    // Before the server takes us out: a revoked grant, a room that is gone.
    socket.on('closed', (reason: unknown) => mine() && this.ended(readError(reason)))
    socket.on('connect_error', (reason: unknown) => mine() && this.failed(reason))
    socket.on('disconnect', (reason: unknown) => {
      if (!mine() || this.current === 'closed' || this.current === 'refused') return
      // Where the server ended it without a word (a reader that was too slow), the next handshake resumes.
      this.again(reason === 'io server disconnect' ? errorOf('ended') : null)
    })
  }

  private handshake(): Record<string, unknown> {
    return { ...this.auth, ...(this.last === null ? {} : { since: this.last }) }
  }

  private snapshot(data: unknown): void {
    if (!isRecord(data)) return
    const seq = data['seq']
    // Where it resumes, what was missed follows: it counts from what we have.
    if (typeof seq === 'number' && (data['resumed'] !== true || this.last === null)) this.last = seq
    this.repeats = typeof data['repeat_s'] === 'number'
    this.handlers.onsnapshot?.(data, data['reset'] === true)
    for (const back of [...this.returning]) back()
  }

  private events(batch: unknown): void {
    if (!Array.isArray(batch)) return
    const fresh: LiveEvent[] = []
    for (const item of batch as unknown[]) {
      if (!isRecord(item) || typeof item['seq'] !== 'number') continue
      if (this.last !== null && item['seq'] <= this.last) continue
      this.last = item['seq']
      const { data } = item
      if (!isRecord(data)) continue
      fresh.push({
        seq: item['seq'],
        type: readText(item['type']),
        at_ms: readTime(item['at']) ?? Date.now(),
        mediaAt_ms: readTime(item['media_at']),
        data,
      })
    }
    if (fresh.length > 0) this.handlers.onevents?.(fresh)
  }

  private failed(reason: unknown): void {
    // A refusal carries our error's shape in `data`; a transport's failure none.
    const data = isRecord(reason) || reason instanceof Error ? (reason as { data?: unknown }).data : null
    const error = readError(data) ?? (isRecord(data) ? readError({ error: data }) : null)
    if (error && FINAL.has(error.code)) this.refused(error)
    else this.again(error)
  }

  private ended(error: ApiError | null): void {
    if (error?.code !== 'moved') return this.refused(error)
    // The session has another audience now: we come anew with the disconnect that follows.
    this.last = null
  }

  private refused(error: ApiError | null): void {
    clearTimeout(this.timer)
    this.become('refused', error ?? errorOf('ended'))
    this.socket?.disconnect()
  }

  private again(error: ApiError | null): void {
    clearTimeout(this.timer)
    this.become('waiting', error)
    this.timer = setTimeout(() => {
      this.become('connecting')
      void this.open()
    }, this.backoff.next())
  }

  private become(state: LiveState, error: ApiError | null = null): void {
    if (state === this.current && error === null) return
    this.current = state
    this.handlers.onstate?.(state, error)
    if (state === 'closed' || state === 'refused') for (const back of [...this.returning]) back()
  }
}

function refusal(code: 'not_connected' | 'no_answer'): Answer {
  const message = code === 'not_connected' ? 'Not connected.' : 'No answer came in time.'
  return { ok: false, error: { ...errorOf(code, message), retryAfter_ms: null } }
}
