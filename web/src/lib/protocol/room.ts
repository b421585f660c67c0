import { Backoff } from '$lib/whip/backoff'
import { isRecord, readText, readTextOrNull, readTime } from '$lib/api/read'
import { type Hold, readHold, readSession, readWord } from './day'
import type { Session, Word } from './day'

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
  /** Why it shows what it shows; null where the server does not tell. */
  word: Word | null
  /** The public session that is on air, and the one that follows, where the answer held them whole. */
  session: Session | null
  following: Session | null
  /** A closed session has the room until then. */
  reservedUntil_ms: number | null
  hold: Hold | null
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

/** Reads an answer of `GET /api/v1/rooms/{id}`; null where it is none. */
export function readStatus(body: unknown, clockOffset_ms: number | null): RoomStatus | null {
  if (!isRecord(body)) return null
  const { state, session, next } = body
  if (state !== 'off' && state !== 'slate' && state !== 'live') return null
  const venue = isRecord(body['venue']) ? readTextOrNull(body['venue']['name']) : readTextOrNull(body['venue'])
  const coming = isRecord(next) ? readTextOrNull(next['title']) : null
  return {
    state,
    name: readTextOrNull(body['name']) ?? readText(body['id']),
    venue,
    title: isRecord(session) ? readTextOrNull(session['title']) : null,
    next:
      isRecord(next) && coming
        ? { title: coming, start: readTextOrNull(next['shown_start']) ?? readTextOrNull(next['start']) }
        : null,
    word: readWord(body['word']),
    session: readSession(session),
    following: readSession(next),
    reservedUntil_ms: readTime(body['reserved_until']),
    hold: readHold(body['hold']),
    clockOffset_ms,
  }
}

/** Where changes are told by the socket, asking is only for what it may have missed. */
const RELAXED_MS = [60_000, 90_000] as const

/** Asks for a room's status again and again, politely, until it is stopped. */
export class RoomWatcher {
  private timer: ReturnType<typeof setTimeout> | undefined
  private asking: AbortController | null = null
  private stopped = true
  private readonly backoff: Backoff
  /** The last answer was "off": the next question may wait for the start. */
  private off = false
  /** Changes are told by another way too. */
  relaxed = false
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
    const [least, most] = this.relaxed && answer.status.state !== 'off' ? RELAXED_MS : PACE[answer.status.state]
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
