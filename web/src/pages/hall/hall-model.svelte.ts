import { getJson } from '$lib/api'
import { spread } from '$lib/live/follow'
import { RoomFeed } from '$lib/live/room-feed'
import { join, type Link } from '$lib/live/shared'
import { readTime } from '$lib/api/read'
import { readStatus, type RoomStatus } from '$lib/protocol/room'
import { Talk } from '$features/talk/model/talk.svelte'

/** The hall's page: the room, and somebody's part in its audience. There is no picture, so nothing is behind: it is now. */
export class HallModel {
  readonly talk: Talk
  status = $state.raw<RoomStatus | null>(null)

  private base: RoomStatus
  private readonly feed: RoomFeed
  private link: Link | null = null
  private offset_ms = 0
  private readonly ask = spread(() => void this.look())

  constructor(
    readonly room: string,
    name: string,
  ) {
    this.base = readStatus({ state: 'off', id: room, name }, null) as RoomStatus
    this.feed = new RoomFeed(room)
    this.talk = new Talk({ room }, () => Date.now() + this.offset_ms)
  }

  start(): void {
    this.talk.start()
    // The same connection.
    this.link = join(
      { room: this.room },
      {
        onsnapshot: (data) => {
          const at_ms = readTime(data['at'])
          if (at_ms !== null) this.offset_ms = at_ms - Date.now()
          this.feed.snapshot(data)
          this.apply()
        },
        onevents: (events) => this.feed.events(events) && this.apply(),
      },
    )
  }

  stop(): void {
    this.link?.leave()
    this.talk.stop()
  }

  private apply(): void {
    const status = this.feed.status(this.base)
    if (status) this.status = status
    else this.ask()
  }

  /** For what no event told whole. */
  private async look(): Promise<void> {
    const body = await getJson(`/rooms/${encodeURIComponent(this.room)}`).catch(() => null)
    const status = readStatus(body, null)
    if (status) this.status = status
  }
}
