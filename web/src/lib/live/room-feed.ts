import type { JsonObject } from '$lib/api/types'
import { isRecord, readRecord, readTextOrNull } from '$lib/api/read'
import { readStatus, type RoomStatus } from '$lib/protocol/room'
import type { LiveEvent } from './socket'

/**
 * A room's status out of what `/audience` tells (`streamer/realtime/protocol.md`): the same as `GET /api/v1/rooms/{id}` would
 * answer, so that a hall of viewers need not ask all at once.
 */
export class RoomFeed {
  private broadcast: JsonObject | null = null
  private readonly sessions = new Map<string, unknown>()

  constructor(private readonly room: string) {}

  snapshot(data: JsonObject): void {
    const entry = readRecord(data['rooms'])[this.room]
    if (!isRecord(entry)) return
    this.sessions.clear()
    for (const name of ['session', 'next']) {
      const session = entry[name]
      if (isRecord(session) && typeof session['id'] === 'string') this.sessions.set(session['id'], session)
    }
    this.broadcast = isRecord(entry['broadcast']) ? entry['broadcast'] : null
  }

  /** @returns whether any of it was about the room */
  events(batch: readonly LiveEvent[]): boolean {
    let changed = false
    for (const { type, data } of batch) {
      if (data['room'] !== this.room) continue
      const id = readTextOrNull(data['id'])
      if (type === 'broadcast.changed') this.broadcast = data
      else if (type === 'session.changed' && id !== null) {
        if (data['removed'] === true) this.sessions.delete(id)
        else this.sessions.set(id, data)
      } else continue
      changed = true
    }
    return changed
  }

  /**
   * @param base what the API answered last: the room's name and venue, which no event tells
   * @returns null where something is missing that only the API can tell
   */
  status(base: RoomStatus): RoomStatus | null {
    const { broadcast } = this
    if (!broadcast) return null
    const told: Record<string, unknown> = { ...broadcast, name: base.name, venue: base.venue }
    for (const name of ['session', 'next']) {
      const id = readTextOrNull(broadcast[name])
      const session = id === null ? null : this.sessions.get(id)
      if (session === undefined) return null
      told[name] = session
    }
    // Another room's session is told by its id alone.
    const elsewhere = readTextOrNull(broadcast['elsewhere'])
    if (elsewhere !== null && elsewhere !== base.elsewhere?.session.id) return null
    const status = readStatus(told, base.clockOffset_ms)
    return status && { ...status, elsewhere: elsewhere === null ? null : base.elsewhere }
  }
}
