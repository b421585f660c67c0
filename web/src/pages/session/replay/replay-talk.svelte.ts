// Maps and sets here are values: each change makes another one, told by $state.raw.
/* eslint-disable svelte/prefer-svelte-reactivity */
import type { ChatMessage, Question } from '$features/talk/model/items'
import { Stretches } from './stretches'
import type { Asked, Kind, Page, Polled, ReplayChapter, Spoken } from './wire'

export interface Ports {
  /** Null where there is nothing to be told. Rejects where no answer comes. */
  read(kinds: readonly Kind[], from_ms: number, to_ms: number): Promise<Page | null>
  after(delay_ms: number, what: () => void): unknown
  cancel(timer: unknown): void
}

/** An entry of the list, in order of time. */
export type Entry =
  | { kind: 'message'; key: string; media_ms: number; message: ChatMessage }
  | { kind: 'asked' | 'staged' | 'answered'; key: string; media_ms: number; asked: Asked }
  | { kind: 'opened' | 'closed'; key: string; media_ms: number; polled: Polled }

export type QuestionNow = { asked: Asked; state: 'waiting' | 'staged' | 'answered' | 'later' }
export type PollNow = { polled: Polled; state: 'open' | 'closed' | 'later' }

const FOREVER_MS = 2 ** 53 - 1
const AGAIN_MS = 5_000
/** A browser that goes to a moment may stand a frame before it, and the page looks twice a second. */
const SLACK_MS = 250
const MOST_PAGES = 100
const STANDING: readonly Kind[] = ['questions', 'polls', 'chapters']

const first_ms = ({ asked_ms, staged_ms, answered_ms }: Asked): number =>
  Math.min(asked_ms ?? Infinity, staged_ms ?? Infinity, answered_ms ?? Infinity)
const inTime = <T extends { media_ms: number }>(a: T, b: T): number => a.media_ms - b.media_ms

/**
 * An audience's messages while a session was on air, in step with the picture of its replay. It knows neither the page nor
 * the network: {@link follow} is told the picture's media time, {@link Ports.read} reads.
 */
export class ReplayTalk {
  state = $state<'waiting' | 'ready' | 'none'>('waiting')
  /** The picture's media time; null: nothing plays, and nothing has. */
  at_ms = $state<number | null>(null)
  /** Shows all entries, independent of the picture's time. */
  all = $state(false)
  chapters = $state.raw<readonly ReplayChapter[]>([])
  languages = $state.raw<readonly string[]>([])
  start_ms = $state(0)
  private questions = $state.raw<readonly Asked[]>([])
  private polls = $state.raw<readonly Polled[]>([])
  private chat = $state.raw<ReadonlyMap<string, ChatMessage>>(new Map())
  private spoken = $state.raw<ReadonlyMap<string, ReadonlyMap<string, Spoken>>>(new Map())
  /** Media time from which on everything up to now has been read. */
  private from_ms = $state(0)
  /** Stretches that are on their way. */
  private reading = $state(0)
  private stretches: Stretches | null = null
  private timer: unknown = null
  private closed = false

  private readonly ordered: readonly Entry[] = $derived.by(() => {
    const entries: Entry[] = [...this.chat.values()].map((message) => ({
      kind: 'message',
      key: `m ${message.id}`,
      media_ms: message.mediaAt_ms,
      message,
    }))
    for (const asked of this.questions) {
      const { id } = asked.question
      const put = (kind: 'asked' | 'staged' | 'answered', media_ms: number | null) => {
        if (media_ms !== null) entries.push({ kind, key: `${kind} ${id}`, media_ms, asked })
      }
      put('asked', asked.asked_ms)
      put('staged', asked.staged_ms)
      put('answered', asked.answered_ms)
    }
    for (const polled of this.polls) {
      const { id } = polled.poll
      entries.push({ kind: 'opened', key: `opened ${id}`, media_ms: polled.opened_ms, polled })
      if (polled.closed_ms !== null) {
        entries.push({ kind: 'closed', key: `closed ${id}`, media_ms: polled.closed_ms, polled })
      }
    }
    return entries.sort((a, b) => inTime(a, b) || (a.key < b.key ? -1 : 1))
  })

  /** The entries until now; all that have been read where the viewer wants all. */
  readonly entries: readonly Entry[] = $derived.by(() => {
    if (this.all) return this.ordered
    const now = this.now_ms
    return this.ordered.filter(({ media_ms }) => media_ms <= now && media_ms >= this.from_ms)
  })
  /** Index of the last of {@link entries} that has come by now; -1 before the first. */
  readonly current = $derived(this.entries.findLastIndex(({ media_ms }) => media_ms <= this.now_ms))

  /** On stage, then those that wait by their votes, then the answered ones, the last first. */
  readonly asked: readonly QuestionNow[] = $derived.by(() => {
    const rank = { staged: 0, waiting: 1, answered: 2, later: 3 }
    return this.questions
      .map((asked) => ({ asked, state: this.questionState(asked) }))
      .filter(({ state }) => this.all || state !== 'later')
      .sort((a, b) => {
        if (a.state !== b.state) return rank[a.state] - rank[b.state]
        if (a.state === 'waiting') {
          return b.asked.question.votes - a.asked.question.votes || first_ms(a.asked) - first_ms(b.asked)
        }
        return a.state === 'answered'
          ? (b.asked.answered_ms ?? 0) - (a.asked.answered_ms ?? 0)
          : first_ms(a.asked) - first_ms(b.asked)
      })
  })
  /** The newest first. */
  readonly polled: readonly PollNow[] = $derived(
    this.polls
      .map((polled) => ({ polled, state: this.pollState(polled) }))
      .filter(({ state }) => this.all || state !== 'later')
      .sort((a, b) => b.polled.opened_ms - a.polled.opened_ms),
  )
  readonly empty = $derived(
    this.ordered.length === 0 && this.languages.length === 0 && this.chapters.length === 0 && !this.reading,
  )

  constructor(private readonly ports: Ports) {}

  /** Up to which media time is told; nothing before anything has played. */
  get now_ms(): number {
    return this.at_ms === null ? -Infinity : this.at_ms + SLACK_MS
  }

  /** The captions of a language until now. */
  transcript(tag: string): readonly Spoken[] {
    const lines = [...(this.spoken.get(tag)?.values() ?? [])].sort(inTime)
    return this.all ? lines : lines.filter(({ media_ms }) => media_ms <= this.now_ms && media_ms >= this.from_ms)
  }

  question(id: string): Question | null {
    return this.questions.find(({ question }) => question.id === id)?.question ?? null
  }

  message(id: string): ChatMessage | null {
    return this.chat.get(id) ?? null
  }

  /** Reads what stands for the whole replay; again after a while where that fails. */
  async start(): Promise<void> {
    try {
      const page = await this.everything(STANDING, 0, FOREVER_MS)
      if (this.closed) return
      if (page === null) {
        this.state = 'none'
        return
      }
      this.questions = [...page.questions].sort((a, b) => first_ms(a) - first_ms(b))
      this.polls = page.polls
      this.chapters = page.chapters
      this.start_ms = this.from_ms = page.start_ms
      this.stretches = new Stretches(page.start_ms, page.end_ms)
      this.state = 'ready'
      this.need(this.at_ms ?? page.start_ms)
    } catch {
      this.later(() => void this.start())
    }
  }

  /** The picture's media time now, as often as it is known. */
  follow(media_ms: number | null): void {
    if (media_ms === null || media_ms === this.at_ms) return
    this.at_ms = media_ms
    this.need(media_ms)
  }

  /** The stretch before what is shown. */
  earlier(): void {
    if (this.hasEarlier) this.need(this.from_ms - 1)
  }

  get hasEarlier(): boolean {
    return this.state === 'ready' && this.from_ms > this.start_ms
  }

  showAll(all: boolean): void {
    this.all = all
    if (all) void this.readRest()
  }

  close(): void {
    this.closed = true
    this.ports.cancel(this.timer)
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  private need(media_ms: number): void {
    const { stretches } = this
    if (!stretches) return
    for (const number of stretches.wanted(media_ms)) void this.read(number)
    this.from_ms = stretches.readBackTo_ms(this.at_ms ?? media_ms)
  }

  private async read(number: number): Promise<void> {
    const { stretches } = this
    if (!stretches) return
    const [from_ms, to_ms] = stretches.span(number)
    this.reading++
    try {
      const page = await this.everything(['chat', 'captions'], from_ms, to_ms)
      stretches.done(number)
      if (page && !this.closed) this.take(page)
    } catch {
      stretches.failed(number)
      this.later(() => this.need(this.at_ms ?? this.start_ms))
    }
    this.reading--
    if (!this.closed) this.from_ms = stretches.readBackTo_ms(this.at_ms ?? this.start_ms)
  }

  private async readRest(): Promise<void> {
    while (this.all && !this.closed) {
      const number = this.stretches?.next() ?? null
      if (number === null) return
      await this.read(number)
      if (!this.stretches?.has(number)) return
    }
  }

  /** All pages of a stretch as one. */
  private async everything(kinds: readonly Kind[], from_ms: number, to_ms: number): Promise<Page | null> {
    let whole: Page | null = null
    let at_ms: number | null = from_ms
    for (let pages = 0; at_ms !== null && pages < MOST_PAGES; pages++) {
      const page: Page | null = await this.ports.read(kinds, at_ms, to_ms)
      if (!page) return whole
      whole = whole ? joined(whole, page) : page
      at_ms = page.more_ms
    }
    return whole
  }

  private take(page: Page): void {
    if (page.chat.length > 0) this.chat = new Map([...this.chat, ...page.chat.map((one) => [one.id, one] as const)])
    if (page.captions.size === 0) return
    const spoken = new Map(this.spoken)
    for (const [tag, lines] of page.captions) {
      spoken.set(tag, new Map([...(spoken.get(tag) ?? []), ...lines.map((line) => [line.id, line] as const)]))
    }
    this.spoken = spoken
    this.languages = [...spoken.keys()].sort()
  }

  private later(what: () => void): void {
    if (this.closed) return
    this.ports.cancel(this.timer)
    this.timer = this.ports.after(AGAIN_MS, what)
  }

  private questionState({ asked_ms, staged_ms, answered_ms }: Asked): QuestionNow['state'] {
    const now = this.now_ms
    if (answered_ms !== null && answered_ms <= now) return 'answered'
    if (staged_ms !== null && staged_ms <= now) return 'staged'
    return asked_ms !== null && asked_ms <= now ? 'waiting' : 'later'
  }

  private pollState({ opened_ms, closed_ms }: Polled): PollNow['state'] {
    if (opened_ms > this.now_ms) return 'later'
    return closed_ms !== null && closed_ms <= this.now_ms ? 'closed' : 'open'
  }
}

function joined(one: Page, other: Page): Page {
  const byId = <T>(items: readonly T[], id: (item: T) => string) => [
    ...new Map(items.map((item) => [id(item), item])).values(),
  ]
  const captions = new Map(one.captions)
  for (const [tag, lines] of other.captions) captions.set(tag, [...(captions.get(tag) ?? []), ...lines])
  return {
    ...one,
    chat: [...one.chat, ...other.chat],
    // One that happened on both pages is on both.
    questions: byId([...one.questions, ...other.questions], ({ question }) => question.id),
    polls: byId([...one.polls, ...other.polls], ({ poll }) => poll.id),
    chapters: byId([...one.chapters, ...other.chapters], ({ id }) => id),
    captions,
    more_ms: other.more_ms,
  }
}
