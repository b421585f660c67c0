import { getAll, getJson, moment } from '$lib/api'
import { applyTheme } from '$lib/theme'
import { isRunning, readEvent, readSession, readVenue, type Session } from '$lib/protocol/day'
import type { RoomStatus } from '$lib/protocol/room'

/** A replay is there a second after the end; where it is not, it is asked for ever more rarely. */
const WAITS_MS = [1_500, 3_000, 5_000, 10_000, 20_000, 60_000, 120_000, 300_000]
/** The longest time since a session's end at which it is still offered to somebody who comes. */
const RECENT_MS = 3 * 3_600_000
/** An event that begins within this time has the room's page already (`streamer/api/branding.py`). */
const SOON_MS = 24 * 3_600_000

/** The day on the watch page, beside the session that is on: the one that ended last, and the event's partners. */
export class WatchDay {
  /** The last one that ended here, with a replay that answers. */
  ended = $state.raw<Session | null>(null)
  /** The one that ended while it was watched here, with a replay or not. */
  over = $state.raw<Session | null>(null)
  logos = $state.raw<readonly string[]>([])

  private session: Session | null = null
  private asked = false
  private event: string | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly closing = new AbortController()

  constructor(private readonly room: string) {}

  /** Call with each answer about the room. */
  update(status: RoomStatus): void {
    const { session } = status
    const before = this.session
    this.session = session
    const near = session ?? status.following
    const event = near?.event ?? null
    if (event !== this.event) {
      // The page came with the look of the event that was on then.
      const venue = this.asked ? status.venue : null
      void this.learnEvent(event, venue, near !== null && near.shownStart_ms - Date.now() < SOON_MS)
    }
    if (before && isRunning(before) && before.id !== session?.id) {
      this.ended = null
      this.over = before
      this.waitForReplay(before.id, 0)
    } else if (!this.asked) {
      void this.lookBack()
    }
    this.asked = true
  }

  close(): void {
    clearTimeout(this.timer)
    this.closing.abort()
  }

  private waitForReplay(id: string, attempt: number): void {
    clearTimeout(this.timer)
    const wait_ms = WAITS_MS[attempt]
    if (wait_ms === undefined) return
    this.timer = setTimeout(
      () => {
        void getJson(`/sessions/${encodeURIComponent(id)}`, this.closing.signal)
          .then(readSession, () => null)
          .then((session) => {
            if (this.closing.signal.aborted) return
            // Reopened: it is on again, and ends another time.
            if (session && isRunning(session)) return
            if (session?.replayUrl) this.ended = session
            else if (session?.replay !== 'never') this.waitForReplay(id, attempt + 1)
          })
      },
      wait_ms * (0.75 + Math.random() / 2),
    )
  }

  /** For somebody who comes after the end. */
  private async lookBack(): Promise<void> {
    const now_ms = Date.now()
    const query = { room: this.room, from: moment(now_ms - RECENT_MS), until: moment(now_ms), state: 'ended' }
    const all = await getAll('sessions', query, readSession, this.closing.signal).catch(() => [])
    const found = all.filter(({ replayUrl }) => replayUrl !== null)
    found.sort((a, b) => (a.ended_ms ?? a.end_ms) - (b.ended_ms ?? b.end_ms))
    this.ended ??= found.at(-1) ?? null
  }

  private async learnEvent(id: string | null, venue: string | null, soon: boolean): Promise<void> {
    this.event = id
    const { signal } = this.closing
    const event =
      id === null ? null : await getJson(`/events/${encodeURIComponent(id)}`, signal).then(readEvent, () => null)
    if (this.event !== id) return
    this.logos = event?.logos ?? []
    if (venue === null) return
    const place = await getJson(`/venues/${encodeURIComponent(venue)}`, signal).then(readVenue, () => null)
    if (this.event === id && place) applyTheme(place, soon ? event : null)
  }
}
