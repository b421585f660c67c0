import { Backoff } from '$lib/whip/backoff'
import { readStatus, type RoomStatus } from './room'

export interface ListedRoom extends RoomStatus {
  id: string
}

/** Reads `GET /api/v1/venues` into names by id. */
export function readVenues(body: unknown): Map<string, string> {
  const names = new Map<string, string>()
  if (typeof body !== 'object' || body === null || !('items' in body) || !Array.isArray(body.items)) return names
  for (const item of body.items as unknown[]) {
    if (typeof item !== 'object' || item === null || !('id' in item) || !('name' in item)) continue
    if (typeof item.id === 'string' && typeof item.name === 'string') names.set(item.id, item.name)
  }
  return names
}

export interface RoomListPorts {
  fetch: (input: string, init: { signal: AbortSignal }) => Promise<Response>
  random: () => number
}

const ASK_TIMEOUT_MS = 8_000
const PACE_MS = [12_000, 18_000] as const
/** Pages of the list that are followed; a network of venues has tens of rooms. */
const MOST_PAGES = 20

const ORDER = { live: 0, slate: 1, off: 2 } as const

/** On air first, then by name. */
export function inOrder(rooms: readonly ListedRoom[], language: string): ListedRoom[] {
  return [...rooms].sort(
    (a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name, language, { numeric: true }),
  )
}

/** Reads one page of `GET /api/v1/rooms`; entries that are none are left out. */
export function readPage(body: unknown): { rooms: ListedRoom[]; cursor: string | null } | null {
  if (typeof body !== 'object' || body === null || !('items' in body) || !Array.isArray(body.items)) return null
  const rooms: ListedRoom[] = []
  for (const item of body.items as unknown[]) {
    const status = readStatus(item, null)
    const id = typeof item === 'object' && item !== null && 'id' in item ? item.id : null
    if (status && typeof id === 'string') rooms.push({ ...status, id })
  }
  return { rooms, cursor: 'cursor' in body && typeof body.cursor === 'string' ? body.cursor : null }
}

/** Asks for the list of rooms again and again; `onanswer(null)` where the server does not answer. */
export class RoomList {
  private timer: ReturnType<typeof setTimeout> | undefined
  private stopped = false
  private readonly backoff: Backoff
  private venues = new Map<string, string>()

  constructor(
    private readonly onanswer: (rooms: ListedRoom[] | null) => void,
    private readonly ports: RoomListPorts,
  ) {
    this.backoff = new Backoff(1_000, 15_000, ports.random)
  }

  async start(): Promise<void> {
    const rooms = await this.all().catch(() => null)
    if (this.stopped) return
    if (rooms) this.backoff.reset()
    const [least, most] = PACE_MS
    const wait_ms = rooms ? least + (most - least) * this.ports.random() : this.backoff.next()
    this.timer = setTimeout(() => void this.start(), wait_ms)
    this.onanswer(rooms)
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private async all(): Promise<ListedRoom[] | null> {
    const all: ListedRoom[] = []
    let cursor: string | null = null
    for (let page = 0; page < MOST_PAGES; page++) {
      const query: string = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`
      const response = await this.ports.fetch(`/api/v1/rooms${query}`, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) })
      if (!response.ok) return null
      const read = readPage(await response.json())
      if (!read) return null
      all.push(...read.rooms)
      cursor = read.cursor
      if (cursor === null) break
    }
    if (all.some(({ venue }) => venue !== null && !this.venues.has(venue))) await this.learnVenues()
    return all.map((room) => ({ ...room, venue: this.venues.get(room.venue ?? '') ?? room.venue }))
  }

  /** Rooms tell their venue by its id. A venue that stays unknown shows as that. */
  private async learnVenues(): Promise<void> {
    try {
      const response = await this.ports.fetch('/api/v1/venues?limit=200', {
        signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
      })
      if (response.ok) this.venues = readVenues(await response.json())
    } catch {
      // The rooms are what matters.
    }
  }
}
