import { Backoff } from '$lib/backoff'
import { ask, type Fetch } from '$lib/api/client'
import { enumOrNull, type Read, readRecord, readText, readTextOrNull, readTime, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { readHold, readSession, readWord } from './day'

const readComing = shape<Schema['SessionView']>()(({ field, needed }) => ({
  title: needed('title', readTextOrNull),
  start: field('start', readTextOrNull),
  shownStart: field('shown_start', readTextOrNull),
}))

/** A session that takes place here, too, but that another room carries. */
const readElsewhere = shape<Schema['ElsewhereView']>()(({ field, needed }) => ({
  room: needed('room', readTextOrNull),
  roomName: field('room_name', readText),
  session: needed('session', readSession),
}))

const readTold = shape<Schema['RoomView']>()(({ field, needed }) => ({
  /** '' where it is not told. */
  id: field('id', readText),
  /** The public output's state. */
  state: needed('state', enumOrNull(['off', 'slate', 'live'], 'off')),
  name: field('name', readText),
  venue: field('venue', readTextOrNull),
  /** The title of the session that is on, where the schedule knows one. */
  title: field('session', (value) => readTextOrNull(readRecord(value)['title'])),
  /** Title and start of the session after it. */
  next: field('next', (value) => {
    const coming = readComing(value)
    return coming && { title: coming.title, start: coming.shownStart ?? coming.start }
  }),
  /** Why it shows what it shows; null where the server does not tell. */
  word: field('word', readWord),
  /** The public session that is on air, and the one that follows, where the answer held them whole. */
  session: field('session', readSession),
  following: field('next', readSession),
  /** A closed session has the room until then. */
  reservedUntil_ms: field('reserved_until', readTime),
  hold: field('hold', readHold),
  elsewhere: field('elsewhere', readElsewhere),
}))

export interface RoomStatus extends Read<typeof readTold> {
  /** The server's clock minus this machine's, in ms; null where the answer had no Date. Good to half a second. */
  clockOffset_ms: number | null
}
export type RoomState = RoomStatus['state']

/** Reads an answer of `GET /api/v1/rooms/{id}`; null where it is none. */
export function readStatus(body: unknown, clockOffset_ms: number | null): RoomStatus | null {
  const told = readTold(body)
  return told && { ...told, name: told.name || told.id, clockOffset_ms }
}

export type RoomAnswer =
  | { kind: 'status'; status: RoomStatus }
  /** No room of this name: asking again makes no sense. */
  | { kind: 'unknown' }
  /** No answer, or not one of ours (a proxy's page while the server restarts). */
  | { kind: 'unreachable' }

export interface RoomWatcherPorts {
  fetch: Fetch
  now: () => number
  random: () => number
}

const BROWSER_PORTS: RoomWatcherPorts = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  random: Math.random,
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
    private readonly ports: RoomWatcherPorts = BROWSER_PORTS,
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
    const address = `/api/v1/rooms/${encodeURIComponent(this.room)}${hold ? '?unless=off' : ''}`
    const result = await ask<Schema['RoomView']>(address, { signal, timeout_ms: null, fetcher: this.ports.fetch })
    if (!result.ok) return { kind: result.status === 404 ? 'unknown' : 'unreachable' }
    // Date has whole seconds, cut off: half a second is its mean error.
    const offset_ms = result.date_ms === null ? null : result.date_ms + 500 - this.ports.now()
    const status = readStatus(result.data, offset_ms)
    return status ? { kind: 'status', status } : { kind: 'unreachable' }
  }
}
