// Sets here are values that nobody changes.
/* eslint-disable svelte/prefer-svelte-reactivity */
import { remember } from '$lib/live/myself'
import { join, type Link } from '$lib/live/shared'
import { BROWSER_PORTS, type LiveEvent, type LivePorts, type LiveState, type SendOptions } from '$lib/live/socket'
import { readText, readTime } from '$lib/api/read'
import type { ApiError } from '$lib/api/client'
import type { JsonObject } from '$lib/api/types'
import { Passing } from '$lib/passing.svelte'
import { ChatView } from './chat-view.svelte'
import { Conversation } from './conversation.svelte'
import { isTrusted, type Poll, type Question } from './items'
import { type OutgoingMessage, Outbox, type Refusal, refusalOf } from './outbox.svelte'
import { withoutNumber } from './text'

export const TABS = ['chat', 'questions', 'polls'] as const
export type Tab = (typeof TABS)[number]

/** The audience's room, or its session (a public session's audience is its room's). */
export interface TalkPlace {
  room: string
  session?: string | undefined
}

/** Refusals that hold for whatever is written next, not for this one text. */
const PAUSES = new Set(['flood', 'slow_mode', 'muted', 'rate_limited'])
const WRITING: Readonly<Record<string, 'chat' | 'questions'>> = { 'chat.send': 'chat', 'question.ask': 'questions' }

export interface Pause {
  code: string
  until_ms: number
}

/** Somebody's part in an audience: what there is, what they say and what becomes of it. */
export class Talk {
  readonly conversation = new Conversation()
  readonly view = new ChatView(this.conversation)
  state = $state<LiveState>('closed')
  /** Why there is no connection, where the server said so. */
  error = $state.raw<ApiError | null>(null)
  /** Moves on while something is counted down. */
  now_ms = $state(Date.now())
  private readonly problems = new Passing<Refusal>(6_000)
  private readonly thanks = new Passing<true>(5_000)
  /** Counts of items that came while their tab was not looked at. */
  unread = $state.raw<Readonly<Record<Tab, number>>>({ chat: 0, questions: 0, polls: 0 })

  readonly chat: Outbox
  readonly questions: Outbox

  private looking: Tab | null = null
  private link: Link | null = null
  private clock: ReturnType<typeof setInterval> | undefined
  /** The server's clock minus this machine's. */
  private offset_ms = 0
  /** Floods of messages and of questions are counted apart, and only the chat is ever slow. */
  private paused = $state.raw<Readonly<Record<'chat' | 'questions', Pause | null>>>({ chat: null, questions: null })

  readonly trusted = $derived(isTrusted(this.conversation.you.role))
  readonly named = $derived(this.conversation.you.name !== '')
  readonly banned = $derived(this.conversation.standing.banned || this.error?.code === 'banned')
  /** Nothing is taken from them here any more. */
  readonly barred = $derived(this.banned || this.state === 'refused')
  /** The room has become slow: what was said before counts. */
  private readonly sinceLast: Pause | null = $derived.by(() => {
    const { mode, messages, you } = this.conversation
    if (mode?.chat !== 'slow' || this.trusted) return null
    const last = messages.findLast(({ participant }) => participant === you.id)
    return last ? { code: 'slow_mode', until_ms: last.at_ms - this.offset_ms + mode.slow_s * 1000 } : null
  })
  /** Why nothing can be said, or asked, just now, and until when. */
  readonly chatPause: Pause | null = $derived(this.longest(this.paused.chat, this.sinceLast))
  readonly questionPause: Pause | null = $derived(this.longest(this.paused.questions))
  readonly chatTaken = $derived.by(() => {
    const chat = this.conversation.mode?.chat
    if (chat === undefined || chat === 'closed' || this.barred) return false
    return this.trusted || chat === 'open' || chat === 'slow' || chat === 'review'
  })
  readonly questionsTaken = $derived.by(() => {
    const { mode } = this.conversation
    return mode !== null && !this.barred && (mode.questions !== 'closed' || this.trusted)
  })
  private on = $state<string | null>()
  /** When this page saw a session end, UTC ms. */
  private ended_ms = $state(0)
  /** An open poll that one has not voted in; the newest. */
  readonly toVote: Poll | null = $derived.by(() => {
    const { polls, choices } = this.conversation
    return this.barred
      ? null
      : (polls.find((poll) => poll.open && !choices.has(poll.id) && this.calls(poll, poll.at_ms)) ?? null)
  })
  /** The question that is being answered. */
  readonly staged: Question | null = $derived.by(
    () => this.conversation.onStage.find((one) => this.calls(one, one.stagedAt_ms ?? one.at_ms)) ?? null,
  )
  /** The tabs that have something to show. */
  readonly tabs: readonly Tab[] = $derived.by(() => {
    const { mode, waiting, onStage, answered, mine, polls } = this.conversation
    const asked = waiting.length + onStage.length + answered.length + mine.length > 0
    return TABS.filter((tab) => {
      if (tab === 'chat') return mode !== null && mode.chat !== 'closed'
      return tab === 'polls' ? polls.length > 0 : this.questionsTaken || asked
    })
  })

  /** @param mediaTime of the picture that the participant sees, UTC ms */
  constructor(
    private readonly place: TalkPlace,
    private readonly mediaTime: () => number | null = () => null,
    private readonly ports: LivePorts = BROWSER_PORTS,
  ) {
    const outbox = (own: () => readonly { id: string }[], ontaken?: () => void) =>
      new Outbox(
        {
          send: (command, data, options) => this.send(command, data, options),
          now: () => Date.now(),
          shown: (id) => own().some((item) => item.id === id),
        },
        ontaken,
      )
    const { conversation } = this
    const said = () => conversation.messages.filter(({ participant }) => participant === conversation.you.id)
    this.chat = outbox(said, () => this.slow())
    this.questions = outbox(() => conversation.mine)
  }

  /** The session that is on, as the page knows it; null: none is; undefined: it is not told. */
  set running(session: string | null | undefined) {
    if (this.on && session !== this.on) this.ended_ms = Date.now()
    this.on = session
  }

  /**
   * True of an item of no session, of the one that is on, or opened after the last one's end: a session leaves nothing
   * behind that calls people.
   */
  private calls({ session }: { session: string | null }, opened_ms: number): boolean {
    if (session === null || this.on === undefined || session === this.on) return true
    return this.on === null && opened_ms >= this.ended_ms
  }

  start(): void {
    const { room, session } = this.place
    this.clock = setInterval(() => this.tick(), 500)
    const handlers = {
      onsnapshot: (data: JsonObject, reset: boolean) => this.snapshot(data, reset),
      onevents: (events: readonly LiveEvent[]) => this.happened(events),
      onstate: (state: LiveState, error: ApiError | null) => this.become(state, error),
    }
    this.link = join(session === undefined ? { room } : { session }, handlers, this.ports)
  }

  stop(): void {
    clearInterval(this.clock)
    this.problems.clear()
    this.thanks.clear()
    this.chat.close()
    this.questions.close()
    this.link?.leave()
    this.link = null
  }

  /** The refusal of a press. */
  get problem(): Refusal | null {
    return this.problems.value
  }

  /** A report was taken. */
  get thanked(): boolean {
    return this.thanks.value !== null
  }

  /** The participant's token, where the browser takes no cookie of ours. */
  get participant(): string | null {
    return this.link?.participant ?? null
  }

  /** Which tab is in view; null while the page is not. */
  look(tab: Tab | null): void {
    this.looking = tab
    if (tab !== null && this.unread[tab] > 0) this.unread = { ...this.unread, [tab]: 0 }
  }

  // --- what the participant does -------------------------------------------------------------------------------------

  say(text: string, replyTo: string | null): boolean {
    return this.chat.post('chat.send', text, { ...this.at(), ...(replyTo !== null && { reply_to: replyTo }) })
  }

  ask(text: string, anonymous: boolean): boolean {
    return this.questions.post('question.ask', text, { ...this.at(), ...(anonymous && { anonymous: true }) })
  }

  async vote(question: string, value: boolean): Promise<void> {
    this.conversation.voted(question, value)
    if (!(await this.act('question.vote', { id: question, value: value ? 1 : 0 })))
      this.conversation.voted(question, !value)
  }

  async choose(poll: string, options: readonly number[]): Promise<void> {
    const before = this.conversation.choices.get(poll) ?? []
    this.conversation.chose(poll, options)
    if (!(await this.act('poll.vote', { id: poll, options: [...options] }))) this.conversation.chose(poll, before)
  }

  react(kind: string): Promise<boolean> {
    // It is counted, not stored: it cannot be known again.
    return this.act('reaction', { kind }, { again_ms: 0 })
  }

  takeBack(kind: 'message' | 'question', id: string): Promise<boolean> {
    return this.act(kind === 'message' ? 'chat.withdraw' : 'question.withdraw', { id })
  }

  async report(kind: 'message' | 'question', id: string, reason: string): Promise<void> {
    if (await this.act('item.report', { kind, id, reason })) this.thanks.show(true)
  }

  trouble(kind: string): Promise<boolean> {
    return this.act('trouble.report', { kind })
  }

  /** @returns why not; null where it is one's name now */
  async setName(name: string): Promise<Refusal | null> {
    const answer = await this.send('name.set', { name })
    // Told at the next connection, which refuses no name: it is only not shown where it may not be had.
    const later = !answer.ok && answer.error.code === 'not_connected'
    if (!answer.ok && !later) return refusalOf(answer, Date.now())
    const taken = answer.ok ? readText(answer.data['name']) || name : name
    this.conversation.named(taken, this.conversation.you.place)
    // Elsewhere there may be nobody of that name.
    remember({ name: withoutNumber(taken, name) })
    this.link?.update({ name: taken })
    return null
  }

  // --- what comes ----------------------------------------------------------------------------------------------------

  private snapshot(data: JsonObject, reset: boolean): void {
    const at_ms = readTime(data['at'])
    if (at_ms !== null) this.offset_ms = at_ms - Date.now()
    this.now_ms = Date.now()
    this.conversation.snapshot(data, reset)
    this.connect(true)
  }

  private happened(events: readonly LiveEvent[]): void {
    this.count(events)
    this.conversation.events(events)
    const removed = events.filter(({ type }) => type === 'chat.deleted').map(({ data }) => readText(data['id']))
    if (removed.length > 0) this.view.forget(new Set(removed))
    this.chat.look()
    this.questions.look()
    this.now_ms = Date.now()
    // Another mode: nobody has to wait for what does not hold any more.
    if (this.paused.chat?.code === 'slow_mode' && this.conversation.mode?.chat !== 'slow')
      this.paused = { ...this.paused, chat: null }
  }

  private become(state: LiveState, error: ApiError | null): void {
    this.state = state
    this.error = error
    // A message that is sent before the snapshot would not be recognised.
    if (state !== 'connected') this.connect(false)
  }

  private connect(connected: boolean): void {
    this.chat.connection(connected)
    this.questions.connection(connected)
  }

  private count(events: readonly LiveEvent[]): void {
    const { conversation } = this
    const more: Record<Tab, number> = { chat: 0, questions: 0, polls: 0 }
    for (const { type, data } of events) {
      if (data['removed'] === true) continue
      const id = readText(data['id'])
      const byOthers = data['participant'] !== conversation.you.id && data['mine'] !== true
      if (type === 'chat.message' && byOthers && !conversation.message(id)) more.chat++
      else if (type === 'question.changed' && byOthers && !conversation.question(id)) more.questions++
      else if (type === 'poll.changed' && !conversation.polls.some((poll) => poll.id === id)) more.polls++
    }
    if (this.looking !== null) more[this.looking] = 0
    const { unread } = this
    if (more.chat + more.questions + more.polls === 0) return
    this.unread = {
      chat: unread.chat + more.chat,
      questions: unread.questions + more.questions,
      polls: unread.polls + more.polls,
    }
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  private async send(command: string, data: Record<string, unknown>, options?: SendOptions) {
    const answer = this.link
      ? await this.link.send(command, data, options)
      : ({ ok: false, error: { code: 'not_connected', message: '', details: null, retryAfter_ms: null } } as const)
    const kind = WRITING[command]
    if (!answer.ok && answer.error.retryAfter_ms !== null && kind && PAUSES.has(answer.error.code))
      this.hold(kind, answer.error.code, answer.error.retryAfter_ms)
    return answer
  }

  private hold(kind: 'chat' | 'questions', code: string, wait_ms: number): void {
    this.now_ms = Date.now()
    this.paused = { ...this.paused, [kind]: { code, until_ms: this.now_ms + wait_ms } }
  }

  private longest(...others: (Pause | null)[]): Pause | null {
    const muted_ms = this.conversation.standing.mutedUntil_ms
    const muted = muted_ms === null ? null : { code: 'muted', until_ms: muted_ms - this.offset_ms }
    const pauses = [muted, ...others].filter((pause) => pause !== null && pause.until_ms > this.now_ms)
    return pauses.sort((a, b) => (b?.until_ms ?? 0) - (a?.until_ms ?? 0))[0] ?? null
  }

  /** One press; refused, it is told. */
  private async act(command: string, data: Record<string, unknown>, options?: SendOptions): Promise<boolean> {
    const answer = await this.send(command, data, options)
    if (!answer.ok) this.tell(refusalOf(answer, Date.now()))
    return answer.ok
  }

  tell(problem: Refusal): void {
    this.now_ms = Date.now()
    this.problems.show(problem)
  }

  private at(): Record<string, number> {
    const media_ms = this.mediaTime()
    return media_ms === null ? {} : { media_at: Math.round(media_ms) }
  }

  private slow(): void {
    const { mode } = this.conversation
    if (mode?.chat !== 'slow' || this.trusted) return
    this.hold('chat', 'slow_mode', mode.slow_s * 1000)
  }

  private tick(): void {
    this.view.look(this.mediaTime(), Date.now() + this.offset_ms)
    const counting =
      this.chatPause !== null ||
      this.questionPause !== null ||
      (this.problem?.until_ms ?? 0) > this.now_ms ||
      [...this.chat.outgoing, ...this.questions.outgoing].some((message) => waits(message, this.now_ms))
    if (counting) this.now_ms = Date.now()
  }
}

const waits = ({ refusal }: OutgoingMessage, now_ms: number): boolean => (refusal?.until_ms ?? 0) > now_ms
