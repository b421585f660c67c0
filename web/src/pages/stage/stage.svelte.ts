import { isRecord, readSession, type Session } from '$lib/protocol/day'
import { Conversation } from '$features/talk/model/conversation.svelte'
import type { LiveEvent } from '$lib/live/socket'
import { type Cue, readCue, stillCounts } from './cue'
import { RoomNow } from './room-now.svelte'

export interface HallLink {
  code: string
  /** Path of the picture of its QR code. */
  picture: string
}

/** How often it is asked what the link allows and which codes there are. */
const LOOK_MS = 60_000
const ASK_TIMEOUT_MS = 8_000
/** A closed poll's result is on the screen for so long. */
export const RESULT_MS = 3 * 60_000
/** What a screen shows something of. Chat is not among it: hours of it are nothing to a screen. */
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

/** What the speaker's and the hall's screen know. */
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

  private snapshot(data: Record<string, unknown>, reset: boolean): void {
    this.talk.snapshot(data, reset)
    this.now_ms = this.room.clock.now_ms()
    if (data['resumed'] === true) return
    this.privileged = isRecord(data['stage'])
    this.lastCue = isRecord(data['stage']) ? readCue(data['stage']['cue']) : null
  }

  private events(events: readonly LiveEvent[]): void {
    const shown = events.filter(({ type }) => SHOWN.test(type))
    if (shown.length > 0) this.talk.events(shown)
    for (const { type, data } of events) {
      if (type !== 'cue' || !isRecord(data)) continue
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
    const response = await this.ask(`/api/v1/rooms/${encodeURIComponent(this.options.room)}/hall-codes`, token)
    if (response === null) return
    if (!response.ok) {
      // Nobody's screen: nothing changes that by itself.
      if (response.status === 401 && token === '') this.hidden = true
      if (response.status === 401 || response.status === 403) this.lose(token !== '' && response.status === 401)
      return
    }
    const body: unknown = await response.json().catch(() => null)
    if (code === '') this.link = linkOf(body, this.options.place)
    // In a session's own audience the room's rights say nothing.
    if (!this.privileged && this.options.session === null && this.room.live === 'connected') this.room.again()
  }

  private async check(code: string): Promise<void> {
    const picture = `/join/${encodeURIComponent(code)}/qr.svg`
    const response = await this.ask(picture, '')
    if (response === null || response.status === 429) return
    this.link = response.ok ? { code: code.toUpperCase(), picture } : null
  }

  private lose(expired: boolean): void {
    if (this.options.session !== null) return
    if (expired) this.room.expired = true
    this.privileged = false
    if (this.options.code === '') this.link = null
  }

  private async ask(path: string, token: string): Promise<Response | null> {
    const headers: Record<string, string> = token === '' ? {} : { Authorization: `Bearer ${token}` }
    const signal = AbortSignal.any([this.closing.signal, AbortSignal.timeout(ASK_TIMEOUT_MS)])
    return fetch(path, { headers, signal, cache: 'no-store' }).catch(() => null)
  }
}

/** The place's link out of a list of codes; the first one where the place has none. */
export function linkOf(body: unknown, place: string): HallLink | null {
  const items = isRecord(body) && Array.isArray(body['items']) ? body['items'].filter(isRecord) : []
  const found = items.find((item) => place !== '' && item['place'] === place) ?? items[0]
  const code = found?.['code']
  return typeof code === 'string' ? { code, picture: `/join/${encodeURIComponent(code)}/qr.svg` } : null
}

/** The closed session that a grant is for, where it is one of this room with an audience of its own. */
export async function closedSessionOf(room: string, token: string): Promise<string | null> {
  const headers: Record<string, string> = {
    Accept: 'application/json',
    ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
  }
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`/api/v1${path}`, { headers, signal: AbortSignal.timeout(ASK_TIMEOUT_MS) })
    return response.ok ? await response.json() : null
  }
  try {
    const me = await ask('/me')
    if (!isRecord(me) || typeof me['session'] !== 'string') return null
    const session = readSession(await ask(`/sessions/${encodeURIComponent(me['session'])}`))
    return session && session.room === room && session.visibility !== 'public' ? session.id : null
  } catch {
    return null
  }
}
