/** State that all views share: who is logged in, the places, the last actions and their undo. */
import { getContext, setContext } from 'svelte'
import type { Me } from '$lib/login'
import type { AnyVersion, Schema } from '$lib/api/types'
import { DEFAULT_ZONE, readVenue, type Venue, roomsOf, type Session } from '$lib/protocol/day'
import { inScope, isWhole, may } from './access'
import { ApiFailure } from '$lib/api/client'
import { type AdminApi } from './api'
import type { Names } from './audit'
import type { GrantCard } from './grants'
import { type AdminEvent, type AdminRoom, readAdminEvent, readRoom } from './places'
import { type Route, routePath, type View } from './route'
import { readTemplate, type Template } from './templates'

export interface Toast {
  id: number
  tone: 'success' | 'danger'
  text: string
  /** The action that takes it back. */
  action: string | null
}

const MOST_TOASTS = 3

export class AdminSession {
  me = $state.raw<Me | null>(null)
  venues = $state.raw<readonly Venue[]>([])
  rooms = $state.raw<readonly AdminRoom[]>([])
  events = $state.raw<readonly AdminEvent[]>([])
  templates = $state.raw<readonly NonNullable<Template>[]>([])
  loaded = $state(false)
  toasts = $state.raw<readonly Toast[]>([])
  /** Links that were made and are shown this once: kept while the page is open, in no storage. */
  cards = $state.raw<readonly GrantCard[]>([])
  /** Grows with everything that was changed here: views load again by it. */
  changes = $state(0)
  private numbers = 0

  constructor(
    readonly api: AdminApi,
    readonly go: (to: Partial<Route> & { view: View }, replace?: boolean) => void,
  ) {}

  may(action: string): boolean {
    return this.me !== null && may(this.me, action)
  }

  get whole(): boolean {
    return this.me !== null && isWhole(this.me)
  }

  /** Loads the places that lie in the scope. Rooms of the venue where an event is held belong to its organisers' choice. */
  async refresh(): Promise<void> {
    const { me } = this
    if (me === null) return
    const [venues, rooms, events] = await Promise.all([
      this.api.all('/venues', readVenue),
      this.api.all('/rooms', readRoom),
      this.api.all('/events', readAdminEvent),
    ])
    this.events = events.filter((event) => me.room !== null || inScope(me, { venue: event.venue, event: event.id }))
    const eventVenue = events.find(({ id }) => id === me.event)?.venue
    this.rooms = rooms.filter((room) =>
      me.event !== null || me.session !== null
        ? me.rooms.includes(room.id) || (eventVenue != null && room.venue === eventVenue)
        : inScope(me, { venue: room.venue, room: room.id }),
    )
    const needed = [me.venue, ...this.rooms.map(({ venue }) => venue), ...this.events.map(({ venue }) => venue)]
    this.venues = isWhole(me) ? venues : venues.filter(({ id }) => needed.includes(id))
    if (may(me, 'session.create')) this.templates = await this.api.all('/templates', readTemplate)
    this.loaded = true
  }

  room(id: string | null): AdminRoom | undefined {
    return this.rooms.find((room) => room.id === id)
  }

  roomName(id: string | null): string {
    return id === null ? '' : (this.room(id)?.name ?? id)
  }

  /** Where a session takes place: its rooms, else its venue. */
  placeName(session: Pick<Session, 'room' | 'alsoIn' | 'venue'>): string {
    return (
      roomsOf(session)
        .map((id) => this.roomName(id))
        .join(' + ') || this.venueName(session.venue)
    )
  }

  eventName(id: string | null): string {
    return id === null ? '' : (this.events.find((event) => event.id === id)?.name ?? id)
  }

  venueName(id: string | null): string {
    return id === null ? '' : (this.venues.find((venue) => venue.id === id)?.name ?? id)
  }

  /** Names of what a change names by its id. */
  readonly names: Names = {
    roomName: (id) => this.roomName(id),
    venueName: (id) => this.venueName(id),
    eventName: (id) => this.eventName(id),
    sessionName: (id) => id,
  }

  zoneOfVenue(id: string | null | undefined): string {
    return this.venues.find((venue) => venue.id === id)?.timezone ?? this.zone
  }

  zoneOfRoom(id: string | null): string {
    return this.zoneOfVenue(this.room(id)?.venue)
  }

  zoneOf(session: Pick<Session, 'room' | 'venue'>): string {
    return this.zoneOfVenue(this.room(session.room)?.venue ?? session.venue)
  }

  /** The zone of the page's times where no place is named. */
  get zone(): string {
    return this.venues[0]?.timezone ?? DEFAULT_ZONE
  }

  href(to: Partial<Route> & { view: View }): string {
    return routePath(to)
  }

  /** @param answer of a change: its `action` can be taken back */
  done(text: string, answer: AnyVersion<Pick<Schema['Done'], 'action'>> = {}): void {
    this.toast({ tone: 'success', text, action: answer.action ?? null })
    this.changes++
  }

  failed(text: string): void {
    this.toast({ tone: 'danger', text, action: null })
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id)
  }

  async undo(toast: Toast): Promise<void> {
    if (toast.action === null) return
    await this.api.tap(`/actions/${encodeURIComponent(toast.action)}/undo`)
    this.dismiss(toast.id)
    this.changes++
  }

  private toast(toast: Omit<Toast, 'id'>): void {
    this.toasts = [...this.toasts.slice(1 - MOST_TOASTS), { ...toast, id: ++this.numbers }]
  }
}

const KEY = Symbol('admin-session')

export const provideAdminSession = (admin: AdminSession): AdminSession => setContext(KEY, admin)
export const useAdminSession = (): AdminSession => getContext<AdminSession>(KEY)

export const isFailure = (error: unknown): error is ApiFailure => error instanceof ApiFailure
