import { ask } from '$lib/api/client'
import { isRecord, readRecord } from '$lib/api/read'
import type { AnyVersion, JsonObject, Schema } from '$lib/api/types'
import { readSession, type Session } from '$lib/protocol/day'
import { Conversation } from '$features/talk/model/conversation.svelte'
import type { LiveEvent } from '$lib/live/socket'
import { type Cue, readCue, stillCounts } from './cue'
import { RoomNow } from './room-now.svelte'

export interface HallLink {
  code: string
  /** Path of the picture of its QR code. */
  picture: string
}

/** Time between two questions what the link allows and which codes there are. */
const LOOK_MS = 60_000
const CHECK_TIMEOUT_MS = 8_000
/** A closed poll's result is on the screen for so long. */
export const RESULT_MS = 3 * 60_000
/** Events that change a screen. Chat is not among them: a screen shows none. */
const SHOWN = /^(question|poll|room\.mode$|notice$)/

export interface StageOptions {
  room: string
  name: string
  /** A grant's token; '' leaves it to the login cookie. */
  token: string
  /** A hall's code that the address names. */
  code: string
  place: string
  /** A closed session that has an audience of its own. */
  session: string | null
}

/** State of the speaker's and the hall's screen. */
export class StageModel {
  readonly talk = new Conversation()
  readonly room: RoomNow
  /** Whether the link allows what is for the speaker only. */
  privileged = $state(false)
  /** By the server's clock; moves four times a second. */
  now_ms = $state(Date.now())
  link = $state.raw<HallLink | null>(null)
  private lastCue = $state.raw<Cue | null>(null)
  private dismissed = $state<string | null>(null)

  readonly session: Session | null = $derived.by(() => this.room.session)
  readonly following: Session | null = $derived.by(() => this.room.following)
  readonly question = $derived(this.talk.onStage[0] ?? null)
  readonly cue: Cue | null = $derived.by(() => {
    const cue = this.privileged ? this.lastCue : null
    return cue && cue.id !== this.dismissed && stillCounts(cue, this.session, this.now_ms) ? cue : null
  })
  /** The newest open one, or the one that was closed a moment ago. */
  readonly poll = $derived(
    this.talk.polls.find(
      ({ open, closedAt_ms }) => open || (closedAt_ms !== null && this.now_ms - closedAt_ms < RESULT_MS),
    ) ?? null,
  )
  readonly notice = $derived.by(() => {
    const { notice } = this.talk
    return notice && (notice.until_ms === null || notice.until_ms > this.now_ms) ? notice : null
  })

  private readonly looks = () => void this.look()
  private timers: ReturnType<typeof setInterval>[] = []
  private readonly closing = new AbortController()
  private hidden = false

  constructor(private readonly options: StageOptions) {
    const auth = options.token === '' ? {} : { token: options.token }
    this.room = new RoomNow(
      options.room,
      options.name,
      auth,
      {
        onsnapshot: (data, reset) => this.snapshot(data, reset),
        onevents: (events) => this.events(events),
      },
      options.session,
    )
  }

  start(): void {
    this.room.start()
    this.timers = [setInterval(() => (this.now_ms = this.room.clock.now_ms()), 250), setInterval(this.looks, LOOK_MS)]
    window.addEventListener('online', this.looks)
    void this.look()
  }

  close(): void {
    window.removeEventListener('online', this.looks)
    for (const timer of this.timers) clearInterval(timer)
    this.closing.abort()
    this.room.close()
  }

  dismiss(cue: Cue): void {
    this.dismissed = cue.id
  }

  private snapshot(data: JsonObject, reset: boolean): void {
    this.talk.snapshot(data, reset)
    this.now_ms = this.room.clock.now_ms()
    if (data['resumed'] === true) return
    this.privileged = isRecord(data['stage'])
    this.lastCue = readCue(readRecord(data['stage'])['cue'])
  }

  private events(events: readonly LiveEvent[]): void {
    const shown = events.filter(({ type }) => SHOWN.test(type))
    if (shown.length > 0) this.talk.events(shown)
    for (const { type, data } of events) {
      if (type !== 'cue') continue
      if (data['removed'] !== true) this.lastCue = readCue(data) ?? this.lastCue
      else if (data['id'] === this.lastCue?.id) this.lastCue = null
    }
  }

  // --- codes, and what the link allows ------------------------------------------------------------------

  /** A grant may begin to reach the room, end, or be revoked while the page is open; codes may be taken back. */
  private async look(): Promise<void> {
    const { code } = this.options
    if (code !== '') await this.check(code)
    if (this.hidden) return
    const token = this.room.expired ? '' : this.options.token
    const result = await ask<Schema['HallCodeList']>(
      `/api/v1/rooms/${encodeURIComponent(this.options.room)}/hall-codes`,
      { token, signal: this.closing.signal, cache: 'no-store' },
    )
    if (!result.ok) {
      const { status } = result
      // Nobody's screen: nothing changes that by itself.
      if (status === 401 && token === '') this.hidden = true
      if (status === 401 || status === 403) this.lose(token !== '' && status === 401)
      return
    }
    if (code === '') this.link = linkOf(result.data, this.options.place)
    // In a session's own audience the room's rights say nothing.
    if (!this.privileged && this.options.session === null && this.room.live === 'connected') this.room.again()
  }

  private async check(code: string): Promise<void> {
    const link = linkTo(code)
    const signal = AbortSignal.any([this.closing.signal, AbortSignal.timeout(CHECK_TIMEOUT_MS)])
    const response = await fetch(link.picture, { signal, cache: 'no-store' }).catch(() => null)
    if (response === null || response.status === 429) return
    this.link = response.ok ? { ...link, code: code.toUpperCase() } : null
  }

  private lose(expired: boolean): void {
    if (this.options.session !== null) return
    if (expired) this.room.expired = true
    this.privileged = false
    if (this.options.code === '') this.link = null
  }
}

/** The place's link out of a list of codes; the first one where the place has none. */
export function linkOf({ items }: AnyVersion<Schema['HallCodeList']>, place: string): HallLink | null {
  const found = items?.find((item) => place !== '' && item.place === place) ?? items?.[0]
  return found?.code ? linkTo(found.code) : null
}

const linkTo = (code: string): HallLink => ({ code, picture: `/join/${encodeURIComponent(code)}/qr.svg` })

/** The closed session that a grant is for, where it is one of this room with an audience of its own. */
export async function closedSessionOf(room: string, token: string): Promise<string | null> {
  const me = await ask<Schema['MeView']>('/api/v1/me', { token })
  if (!me.ok || !me.data.session) return null
  const told = await ask(`/api/v1/sessions/${encodeURIComponent(me.data.session)}`, { token })
  const session = told.ok ? readSession(told.data) : null
  return session && session.room === room && session.visibility !== 'public' ? session.id : null
}
