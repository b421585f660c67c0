/** The actions of the wall’s keys and its bar: always to the selected room, which the bar names. */

import { isAhead } from '$lib/protocol/day'
import type { Listening } from './listening.svelte'
import { doubtAbout } from './order'
import type { Overview } from './overview.svelte'
import type { RoomInfo } from './room'
import { incomingOf, SecondPress, TypeAhead, type WallKey } from './wall'

export interface WallActionPorts {
  /** Opens an address beside this page. */
  open: (path: string) => void
  now: () => number
}

export class WallActions {
  /** The selected room's id. */
  selected = $state<string | null>(null)
  private armed_ms = $state(0)
  private readonly typed = new TypeAhead()
  private readonly ends = new SecondPress()
  private readonly starts = new SecondPress()

  /** @param rooms as they stand on the page */
  constructor(
    private readonly overview: Overview,
    readonly listening: Listening,
    private readonly rooms: () => readonly RoomInfo[],
    private readonly ports: WallActionPorts,
  ) {}

  get room(): RoomInfo | null {
    return this.rooms().find(({ id }) => id === this.selected) ?? null
  }

  /** The source that comes in and is not what goes out. */
  get source(): string | null {
    const { room } = this
    return room?.crew ? incomingOf(room, room.crew) : null
  }

  get endArmed(): boolean {
    const session = this.room?.crew?.session
    void this.overview.now_ms
    return this.armed_ms > 0 && !!session && this.ends.isArmed(this.selected ?? '', session.id, this.ports.now())
  }

  get startArmed(): boolean {
    const session = this.room?.crew?.next
    void this.overview.now_ms
    return this.armed_ms > 0 && !!session && this.starts.isArmed(this.selected ?? '', session.id, this.ports.now())
  }

  select(room: string | null): void {
    this.selected = room
    this.ends.forget()
    this.starts.forget()
  }

  listen(incoming: boolean): void {
    const { room, source } = this
    if (!room || (incoming && source === null)) return
    this.listening.toggle({ room: room.id, source: incoming ? source : null })
  }

  /** The second press ends. */
  end(): void {
    const session = this.room?.crew?.session
    if (!session || !this.overview.may('session.run')) return
    this.armed_ms = this.ports.now()
    if (!this.ends.press(this.selected ?? '', session.id, this.armed_ms)) return
    void this.overview.tap({ kind: 'end', session: session.id, at_ms: null })
  }

  /** An early start wants a second press, too. */
  start(): void {
    const session = this.room?.crew?.next
    if (!session || !isAhead(session) || !this.overview.may('session.run')) return
    const doubt = doubtAbout(session, session, this.overview.now_ms)
    this.armed_ms = this.ports.now()
    if (doubt !== '' && !this.starts.press(this.selected ?? '', session.id, this.armed_ms)) return
    void this.overview.tap({ kind: 'start', session: session.id, at_ms: null })
  }

  /** Whether the key meant something. */
  press(key: WallKey): boolean {
    const rooms = this.rooms()
    switch (key.kind) {
      case 'select': {
        const room = rooms[key.index]
        if (room) this.select(room.id)
        return room !== undefined
      }
      case 'type': {
        const found = this.typed.type(key.sign, rooms, this.ports.now())
        if (found !== null) this.select(found)
        return found !== null
      }
      case 'move': {
        const at = rooms.findIndex(({ id }) => id === this.selected)
        const room = rooms[at < 0 ? (key.by > 0 ? 0 : rooms.length - 1) : at + key.by]
        if (room) this.select(room.id)
        return true
      }
      case 'open':
        if (this.selected !== null) this.ports.open(`/studio/${encodeURIComponent(this.selected)}`)
        return this.selected !== null
      case 'listen':
      case 'listen_in':
        this.listen(key.kind === 'listen_in')
        return this.selected !== null
      case 'end':
        this.end()
        return this.selected !== null
      case 'clear':
        this.select(null)
        this.listening.stop()
        return true
      case 'help':
        return false
    }
  }
}
