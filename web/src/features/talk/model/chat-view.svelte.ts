import type { Conversation } from './conversation.svelte'
import type { ChatMessage } from './items'

/** A picture that is further behind live takes the chat with it. */
export const FAR_MS = 30_000
/** It is let go of this much nearer, so that it does not come and go. */
const SLACK_MS = 5_000
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
    return this.follows ? messages.filter((message) => this.isDue(message)).sort(inMediaTime) : messages
  })
  /** How many are there that the picture has not come to. */
  readonly ahead: number = $derived.by(() => {
    const { messages } = this.conversation
    return this.picture_ms === null ? 0 : messages.filter((message) => !this.isDue(message)).length
  })

  constructor(private readonly conversation: Conversation) {}

  /** @param now_ms the server's clock, which media times are of */
  look(picture_ms: number | null, now_ms: number): void {
    const far_ms = this.picture_ms === null ? FAR_MS : FAR_MS - SLACK_MS
    const far = picture_ms !== null && now_ms - picture_ms > far_ms
    this.picture_ms = far ? picture_ms : null
    if (!far) this.live = false
  }

  /** One's own are always there: they answer what one sees. */
  private isDue({ mediaAt_ms, participant }: ChatMessage): boolean {
    return mediaAt_ms <= (this.picture_ms ?? Infinity) + SOON_MS || participant === this.conversation.you.id
  }
}
