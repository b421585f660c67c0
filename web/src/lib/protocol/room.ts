import { Backoff } from '$lib/whip/backoff'

/** The public output's state, as the API tells it. */
export type RoomState = 'off' | 'slate' | 'live'

export interface RoomStatus {
  state: RoomState
  name: string
  venue: string | null
  /** The session that is on, where the schedule knows one. */
  title: string | null
  /** Title and start of what comes next. */
  next: { title: string; start: string | null } | null
  /** The server's clock minus this machine's, in ms; null where the answer had no Date. Good to half a second. */
  clockOffset_ms: number | null
}

export type RoomAnswer =
  | { kind: 'status'; status: RoomStatus }
  /** No room of this name: asking again makes no sense. */
  | { kind: 'unknown' }
  /** No answer, or not one of ours (a proxy's page while the server restarts). */
  | { kind: 'unreachable' }

export interface RoomWatcherPorts {
  fetch: (input: string, init: { signal: AbortSignal; headers: Record<string, string> }) => Promise<Response>
  now: () => number
  random: () => number
}

const ASK_TIMEOUT_MS = 8_000
/** The same for a question that waits for the start (`?unless=off`): the server answers within 20 s. */
const HELD_TIMEOUT_MS = 28_000
/** An answer that took at least this long was held; a server that holds no more requests answers at once. */
const HELD_MS = 1_000
/** After an answer that was held, the next question at once, but not of all pages together. */
const AGAIN_MS = 400

/** Between two questions, [least, most] ms; the spread keeps a thousand pages from asking in step. */
const PACE: Record<RoomState, readonly [number, number]> = {
  // Somebody is waiting for the start.
  off: [2_000, 5_000],
  // The picture itself goes on without us; `poke` asks at once where the stream shows a change.
  slate: [8_000, 12_000],
  live: [15_000, 25_000],
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** Reads an answer of `GET /api/v1/rooms/{id}`; null where it is none. */
export function readStatus(body: unknown, clockOffset_ms: number | null): RoomStatus | null {
  if (!isRecord(body)) return null
  const { state, session, next } = body
  if (state !== 'off' && state !== 'slate' && state !== 'live') return null
  const venue = isRecord(body['venue']) ? text(body['venue']['name']) : text(body['venue'])
  return {
    state,
    name: text(body['name']) ?? text(body['id']) ?? '',
    venue,
    title: isRecord(session) ? text(session['title']) : null,
    next: isRecord(next) && text(next['title']) ? { title: String(next['title']), start: text(next['start']) } : null,
    clockOffset_ms,
  }
}

/** Asks for a room's status again and again, politely, until it is stopped. */
export class RoomWatcher {
  private timer: ReturnType<typeof setTimeout> | undefined
  private asking: AbortController | null = null
  private stopped = true
  private readonly backoff: Backoff
  /** The last answer was "off": the next question may wait for the start. */
  private off = false
  /** The question that is under way waits for the start. */
  private holding = false

  constructor(
    private readonly room: string,
    private readonly onanswer: (answer: RoomAnswer) => void,
    private readonly ports: RoomWatcherPorts,
  ) {
    this.backoff = new Backoff(1_000, 10_000, ports.random)
  }

  start(): void {
    if (!this.stopped) return
    this.stopped = false
    void this.ask()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.asking?.abort()
    this.asking = null
  }

  /** Asks now (the stream changed, the tab came back, the network came back) instead of at the next turn. */
  poke(): void {
    if (this.stopped || (this.asking && !this.holding)) return
    clearTimeout(this.timer)
    // One that waits for the start may wait on a connection that is gone.
    this.asking?.abort()
    this.off = false
    void this.ask()
  }

  private async ask(): Promise<void> {
    const abort = new AbortController()
    this.asking = abort
    const began_ms = this.ports.now()
    const hold = (this.holding = this.off)
    const timeout = setTimeout(() => abort.abort(), hold ? HELD_TIMEOUT_MS : ASK_TIMEOUT_MS)
    const answer = await this.answer(abort.signal, hold)
    clearTimeout(timeout)
    // Another question has taken this one's place.
    if (this.stopped || this.asking !== abort) return
    this.asking = null
    this.off = answer.kind === 'status' && answer.status.state === 'off'
    // The first one after "off" goes out at once: it is held.
    const held = this.off && (!hold || this.ports.now() - began_ms >= HELD_MS)
    if (answer.kind === 'unknown') this.stopped = true
    else this.timer = setTimeout(() => void this.ask(), held ? AGAIN_MS * this.ports.random() : this.wait(answer))
    this.onanswer(answer)
  }

  private wait(answer: RoomAnswer): number {
    if (answer.kind !== 'status') return this.backoff.next()
    this.backoff.reset()
    const [least, most] = PACE[answer.status.state]
    return least + (most - least) * this.ports.random()
  }

  private async answer(signal: AbortSignal, hold: boolean): Promise<RoomAnswer> {
    try {
      const address = `/api/v1/rooms/${encodeURIComponent(this.room)}${hold ? '?unless=off' : ''}`
      const response = await this.ports.fetch(address, { signal, headers: { Accept: 'application/json' } })
      if (response.status === 404) return { kind: 'unknown' }
      if (!response.ok) return { kind: 'unreachable' }
      const date = Date.parse(response.headers.get('Date') ?? '')
      // Date has whole seconds, cut off: half a second is its mean error.
      const offset = Number.isNaN(date) ? null : date + 500 - this.ports.now()
      const status = readStatus(await response.json(), offset)
      return status ? { kind: 'status', status } : { kind: 'unreachable' }
    } catch {
      return { kind: 'unreachable' }
    }
  }
}
