// Sets here are values that nobody changes.
/* eslint-disable svelte/prefer-svelte-reactivity */
import type { Conversation } from './conversation.svelte'
import { readEarlier } from './earlier'
import type { ChatMessage } from './items'

/** A picture that is further behind live takes the chat with it. */
export const FAR_MS = 30_000
/** It is let go of this much nearer, so that it does not come and go. */
const SLACK_MS = 5_000
/** So much before the picture is read at once. */
const STRETCH_MS = 10 * 60_000
/** After a stretch that did not come. */
const AGAIN_MS = 15_000
/** The page looks twice a second: what is due before it looks again is due. */
const SOON_MS = 500

const inMediaTime = (a: ChatMessage, b: ChatMessage): number =>
  a.mediaAt_ms - b.mediaAt_ms || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/**
 * The chat as its reader sees the picture: live, or, far behind, as it was when the picture was made. Messages that were removed
 * meanwhile are in neither.
 */
export class ChatView {
  /** Media time of a picture that is far behind live; null: it is live, or there is none. */
  picture_ms = $state<number | null>(null)
  /** The reader wants the live chat all the same. */
  live = $state(false)

  readonly follows = $derived(this.picture_ms !== null && !this.live)
  readonly messages: readonly ChatMessage[] = $derived.by(() => {
    const { messages } = this.conversation
    if (!this.follows) return messages
    const known = new Set(messages.map(({ id }) => id))
    const all = [...this.earlier.filter(({ id }) => !known.has(id)), ...messages]
    return all.filter((message) => this.isDue(message)).sort(inMediaTime)
  })
  /** The number of those that the picture has not come to. */
  readonly ahead: number = $derived.by(() => {
    const { messages } = this.conversation
    return this.picture_ms === null ? 0 : messages.filter((message) => !this.isDue(message)).length
  })

  /** Older ones than the audience's feed holds, of the session that is on. */
  private earlier = $state.raw<readonly ChatMessage[]>([])
  private session: string | null = null
  /** Media time from which on all is known. */
  private since_ms = Infinity
  private reading = false
  private again_ms = -Infinity

  constructor(
    private readonly conversation: Conversation,
    private readonly read: typeof readEarlier = readEarlier,
  ) {}

  /** @param now_ms the server's clock, which media times are of */
  look(picture_ms: number | null, now_ms: number): void {
    const far_ms = this.picture_ms === null ? FAR_MS : FAR_MS - SLACK_MS
    const far = picture_ms !== null && now_ms - picture_ms > far_ms
    this.picture_ms = far ? picture_ms : null
    if (!far) this.live = false
    else void this.reach(picture_ms, now_ms)
  }

  /** These were removed, or are not shown any more. */
  forget(ids: ReadonlySet<string>): void {
    if (this.earlier.some(({ id }) => ids.has(id))) this.earlier = this.earlier.filter(({ id }) => !ids.has(id))
  }

  /** Reads what the feed does not hold, as far back as the picture is. */
  private async reach(picture_ms: number, now_ms: number): Promise<void> {
    const { session, messages } = this.conversation
    if (session !== this.session) {
      this.session = session
      this.earlier = []
      this.since_ms = Infinity
    }
    const to_ms = Math.min(this.since_ms, ...messages.map(({ mediaAt_ms }) => mediaAt_ms))
    if (session === null || this.reading || now_ms < this.again_ms || !(picture_ms < to_ms) || to_ms === Infinity)
      return
    this.reading = true
    const from_ms = picture_ms - STRETCH_MS
    try {
      const found = await this.read(session, from_ms, to_ms)
      if (session !== this.session) return
      this.earlier = [...found, ...this.earlier]
      this.since_ms = from_ms
    } catch {
      this.again_ms = now_ms + AGAIN_MS
    } finally {
      this.reading = false
    }
  }

  /** One's own are always there: they answer what one sees. */
  private isDue({ mediaAt_ms, participant }: ChatMessage): boolean {
    return mediaAt_ms <= (this.picture_ms ?? Infinity) + SOON_MS || participant === this.conversation.you.id
  }
}
