import { getAll, getJson, moment } from '$lib/api'
import { readList } from '$lib/api/client'
import { DEFAULT_ZONE, type EventInfo, readEvent, readSession, readVenue } from '$lib/protocol/day'
import type { Session, Venue } from '$lib/protocol/day'
import { applyTheme } from '$lib/theme'
import { myList } from '$lib/my-list.svelte'
import { type ListedRoom, readListed } from '$lib/protocol/rooms'
import { addDays, dayOf } from '$lib/time/times'
import { Backoff } from '$lib/backoff'
import { lookAtOwn, type OwnPlaces } from './own'
import { type Filters, readFilters, windowOf, writeFilters } from './plan'

/** Between two looks at the rooms, [least, most] ms. */
const ROOMS_MS = [10_000, 15_000] as const
/** The day's sessions are asked for again after this long, or when a room shows that something moved. */
const SESSIONS_MS = 60_000
/** Venues and events hardly ever change. */
const PLACES_MS = 600_000

/** The home page's state, renewed by itself while it is seen. */
export class HomePage {
  rooms = $state.raw<readonly ListedRoom[] | null>(null)
  sessions = $state.raw<readonly Session[]>([])
  venues = $state.raw<readonly Venue[]>([])
  events = $state.raw<readonly EventInfo[]>([])
  /** The first session after the day, where the day holds none. */
  next = $state.raw<Session | null>(null)
  /** The shown day's sessions are on their way. */
  loading = $state(true)
  unreachable = $state(false)
  /** The choice of whoever is logged in. */
  own = $state.raw<OwnPlaces | null>(null)
  now_ms = $state(Date.now())
  filters = $state.raw<Filters>(readFilters(location.search))

  readonly today = $derived(dayOf(this.now_ms, this.zone))
  readonly day = $derived(this.filters.day ?? this.today)

  /** Until the first look has an answer, or none. */
  readonly looked: Promise<void>
  private hasLooked: () => void = () => undefined

  private timer: ReturnType<typeof setTimeout> | undefined
  private clock: ReturnType<typeof setInterval> | undefined
  private sessionsAsked_ms = -Infinity
  private placesAsked_ms = -Infinity
  private moved = ''
  private turn = 0
  private readonly closing = new AbortController()
  private readonly backoff = new Backoff(1_000, 15_000)

  /** @param chooses whether somebody is logged in who may have to choose their room here */
  constructor(private readonly chooses = false) {
    this.looked = new Promise((resolve) => (this.hasLooked = resolve))
  }

  /** Of the venue that is looked at; of the first where it is all of them. */
  get zone(): string {
    const { venue } = this.filters
    return (this.venues.find(({ id }) => id === venue) ?? this.venues[0])?.timezone ?? DEFAULT_ZONE
  }

  start(): void {
    this.clock = setInterval(() => (this.now_ms = Date.now()), 5_000)
    const { signal } = this.closing
    document.addEventListener('visibilitychange', () => document.hidden || void this.look(), { signal })
    window.addEventListener('popstate', () => this.show(readFilters(location.search)), { signal })
    void this.look()
  }

  stop(): void {
    this.closing.abort()
    clearInterval(this.clock)
    clearTimeout(this.timer)
  }

  /** Other filters, told in the address so that they can be shared and come back. */
  choose(change: Partial<Filters>): void {
    const filters = { ...this.filters, ...change }
    if (filters.day === this.today) filters.day = null
    history.replaceState(history.state, '', location.pathname + writeFilters(filters, location.search))
    this.show(filters)
  }

  turnDay(days: number): void {
    this.choose({ day: addDays(this.day, days) })
  }

  private show(filters: Filters): void {
    const { day } = this
    if (filters.venue !== this.filters.venue) {
      const venue = this.venues.find(({ id }) => id === filters.venue)
      applyTheme(...(venue ? [venue] : []))
    }
    this.filters = filters
    if (this.day === day) return
    this.sessions = []
    this.next = null
    this.loading = true
    this.sessionsAsked_ms = -Infinity
    void this.look()
  }

  private async look(): Promise<void> {
    const turn = ++this.turn
    clearTimeout(this.timer)
    let wait_ms: number
    try {
      await this.lookAtPlaces()
      const rooms = await getAll('rooms', {}, readListed, this.closing.signal)
      if (turn !== this.turn) return
      this.rooms = rooms
      if (this.chooses) this.own = await lookAtOwn(rooms, this.now_ms, this.closing.signal)
      await this.lookAtSessions(rooms, turn)
      this.unreachable = false
      this.backoff.reset()
      const [least, most] = ROOMS_MS
      wait_ms = least + (most - least) * Math.random()
    } catch {
      // The last state stays on the page while the server is away.
      this.unreachable = true
      wait_ms = this.backoff.next()
    }
    this.hasLooked()
    if (turn !== this.turn || this.closing.signal.aborted) return
    this.timer = setTimeout(() => document.hidden || void this.look(), wait_ms)
  }

  private async lookAtPlaces(): Promise<void> {
    if (performance.now() - this.placesAsked_ms < PLACES_MS) return
    const { signal } = this.closing
    const [venues, events] = await Promise.all([
      getAll('venues', {}, readVenue, signal),
      getAll('events', {}, readEvent, signal),
    ])
    this.venues = venues
    this.events = events
    this.placesAsked_ms = performance.now()
  }

  private async lookAtSessions(rooms: readonly ListedRoom[], turn: number): Promise<void> {
    const moved = rooms.map(movement).join()
    const old = performance.now() - this.sessionsAsked_ms > SESSIONS_MS
    if (!old && moved === this.moved) return
    const { day } = this
    const { from_ms, until_ms } = windowOf(
      day,
      this.venues.map(({ timezone }) => timezone),
    )
    const { signal } = this.closing
    const query = { from: moment(from_ms), until: moment(until_ms) }
    const sessions = await getAll('sessions', query, readSession, signal)
    let next: Session | null = null
    if (sessions.length === 0) {
      const after = encodeURIComponent(moment(Math.max(until_ms, Date.now())))
      next = readList(await getJson(`/sessions?from=${after}&limit=1`, signal), readSession)?.items[0] ?? null
    }
    if (turn !== this.turn || day !== this.day) return
    this.sessions = sessions.filter(({ visibility }) => visibility === 'public')
    myList.renew(this.sessions)
    this.next = next
    this.loading = false
    this.sessionsAsked_ms = performance.now()
    this.moved = moved
  }
}

/** Changes when something of a room's day did. */
function movement({ id, session, following }: ListedRoom): string {
  const told = [session, following].map((one) => one && `${one.id}${one.state}${one.shownStart_ms}${one.shownEnd_ms}`)
  return `${id}:${told.join('+')}`
}
