/* eslint svelte/prefer-svelte-reactivity: "off" -- sets and maps are replaced, never changed in place */
/**
 * A moderator at one audience: what it says (`audience`), what waits, what is done about it, and where the moderator is in it.
 * A room's page has one for the room, and another for a closed session's own audience while somebody is at that.
 */
import { type LiveAuth, type LivePorts, LiveSocket, type LiveState } from '$lib/live/socket'
import { listOf, readTime } from '$lib/api/read'
import type { ApiError } from '$lib/api/client'
import type { ChatMessage, Question } from '$features/talk/model/items'
import {
  approve,
  ban,
  ModeratorCommands,
  type ModeratorCommand,
  moved,
  mute,
  one,
  type Person,
  remove,
} from './commands.svelte'
import { ModerationState } from './moderation-state.svelte'
import { MUTES, type Shortcut } from './keys'
import { Pause } from './pause.svelte'
import { Picker } from './picker.svelte'
import { byParticipant, type ChatFilter, chatOf, type Entry, matches, ofMessage, ofQuestion, queueOf } from './queue'
import { type Card, readAction, readCard, type Action } from './wire'

export type Place = 'queue' | 'chat' | 'questions'
export const PLACES: readonly Place[] = ['queue', 'chat', 'questions']

/** The question before an action, one at a time. */
export type Asking =
  | { kind: 'ban'; people: readonly Person[]; said: readonly string[] }
  | { kind: 'reason'; entries: readonly Pick<Entry, 'key' | 'kind'>[]; subject: string }
  | { kind: 'card'; participant: string; name: string }
  | { kind: 'edit'; question: Question }
  | { kind: 'merge'; questions: readonly Question[] }
  | { kind: 'add'; text: string; from: string }
  | { kind: 'poll' }
  | { kind: 'keys' }

/** Cards of one part of the board that are in the page. */
export const MOST_CARDS = 60
const CLAIM_AFTER_MS = 500
const CLAIM_AGAIN_MS = 20_000
const EARLIER_MOST = 1_000

export class AudienceModeration {
  readonly audience = new ModerationState()
  readonly queuePick = new Picker()
  readonly chatPick = new Picker()
  readonly questionPick = new Picker()
  readonly pause = new Pause(() => this.chat.map(({ id }) => id))
  readonly commands: ModeratorCommands

  live = $state<LiveState>('closed')
  /** Why it was refused for good. */
  error = $state.raw<ApiError | null>(null)
  now_ms = $state(Date.now())
  place = $state<Place>('queue')
  search = $state('')
  filter = $state<ChatFilter>('all')
  /** Each one's entries together. */
  grouped = $state(false)
  asking = $state.raw<Asking | null>(null)
  /** Parts of the board that are open. */
  readonly unfolded = $state({ answered: false, dismissed: false })
  /** The log further back than what was told. */
  earlier = $state.raw<readonly Action[]>([])
  /** Nothing is further back. */
  logEnds = $state(false)

  readonly everything: readonly Entry[] = $derived(queueOf(this.audience))
  readonly queue: readonly Entry[] = $derived.by(() => {
    const found = this.search
      ? this.everything.filter(({ text, name, reports }) =>
          matches(this.search, text, name, ...reports.map(({ reason }) => reason)),
        )
      : this.everything
    return this.grouped ? byParticipant(found) : found
  })
  readonly chat: readonly ChatMessage[] = $derived(chatOf(this.audience.messages, this.filter, this.search))
  readonly chatShown: readonly ChatMessage[] = $derived(this.pause.shown(this.chat))
  readonly fresh: number = $derived(this.pause.fresh(this.chat))
  /** The board's questions in the order in which they stand there, without those out of sight: nobody stands on these. */
  readonly board: readonly Question[] = $derived([
    ...this.audience.onStage,
    ...this.audience.waiting.slice(0, MOST_CARDS),
    ...this.audience.left.slice(0, MOST_CARDS),
    ...(this.unfolded.answered ? this.audience.answered.slice(0, MOST_CARDS) : []),
    ...(this.unfolded.dismissed ? this.audience.dismissed.slice(0, MOST_CARDS) : []),
  ])
  readonly alarming = $derived([...this.audience.troubles.values()].filter(({ at_ms }) => this.now_ms - at_ms < 60_000))

  private readonly socket: LiveSocket
  private offset_ms = 0
  private claimed = new Map<string, number>()
  /** Claims that were let go of. Until the answer the server tells them as anybody's. */
  private released = new Set<string>()
  private claimTimer: ReturnType<typeof setTimeout> | undefined
  /** Somebody was told once that another works on it. */
  private warned: string | null = null
  private readonly ticker: ReturnType<typeof setInterval>

  constructor(
    readonly room: string,
    auth: LiveAuth,
    private readonly onnews: (moderation: AudienceModeration) => void = () => undefined,
    ports?: LivePorts,
  ) {
    this.socket = new LiveSocket(
      'moderation',
      auth,
      {
        onsnapshot: (data, reset) => {
          this.offset_ms = (readTime(data['at']) ?? Date.now()) - Date.now()
          this.tick()
          this.audience.snapshot(data, room, reset)
          this.follow()
        },
        onevents: (events) => {
          const before = this.everything.length
          this.audience.events(events)
          this.follow()
          if (this.everything.length > before) this.onnews(this)
        },
        onstate: (state, error) => {
          this.live = state
          this.error = state === 'refused' ? error : null
        },
      },
      ports,
    )
    this.commands = new ModeratorCommands({
      send: (command, data) => this.socket.send(command, data),
      now: () => this.now(),
      wait: (ms) => new Promise((done) => setTimeout(done, ms)),
    })
    this.ticker = setInterval(() => this.tick(), 1_000)
  }

  start(): void {
    this.socket.start()
  }

  poke(): void {
    this.socket.poke()
  }

  close(): void {
    clearInterval(this.ticker)
    this.letGo()
    this.socket.close()
  }

  /** Server time, as far as it is known. */
  now(): number {
    return Date.now() + this.offset_ms
  }

  private tick(): void {
    this.now_ms = this.now()
  }

  // --- where the moderator is ---------------------------------------------------------------------------------------

  picker(place = this.place): Picker {
    return place === 'queue' ? this.queuePick : place === 'chat' ? this.chatPick : this.questionPick
  }

  /** The lists are others now: what came, what is looked for, how it is ordered. */
  follow(): void {
    const before = this.queuePick.cursor
    this.queuePick.follow(this.queue.map(({ key }) => key))
    this.chatPick.follow(this.chatShown.map(({ id }) => id))
    this.questionPick.follow(this.board.map(({ id }) => id))
    if (this.queuePick.cursor !== before) this.claimSoon()
  }

  go(place: Place, key: string): void {
    this.place = place
    this.picker(place).go(key)
    if (place === 'chat') this.pause.hold('focus')
    this.claimSoon()
  }

  move(by: number, place = this.place): void {
    this.place = place
    this.follow()
    if (this.place === 'chat') this.pause.hold('focus')
    this.picker().move(by)
    this.claimSoon()
  }

  turn(by: number): void {
    const at = PLACES.indexOf(this.place)
    this.place = PLACES[Math.min(PLACES.length - 1, Math.max(0, at + by))] ?? 'queue'
    if (this.place !== 'chat') this.pause.let('focus')
    if (this.picker().cursor === null) this.move(this.place === 'chat' ? -1 : 1)
    this.claimSoon()
  }

  entry(key: string): Entry | null {
    const queued = this.everything.find((entry) => entry.key === key)
    if (queued) return queued
    const message = this.audience.byId.get(key)
    if (message) return ofMessage(message)
    const question = this.audience.questions.get(key)
    return question ? ofQuestion(question) : null
  }

  get targets(): Entry[] {
    // An action that is under way is not done again.
    return this.picker()
      .targets.map((key) => this.entry(key))
      .filter((entry) => entry !== null && !this.commands.busy.has(entry.key)) as Entry[]
  }

  /** Everybody who wrote the targets, each once. */
  people(targets = this.targets): Person[] {
    const found = new Map<string, Person>()
    for (const { participant, name } of targets) {
      if (participant) found.set(participant, { id: participant, name: name || this.audience.nameOf(participant) })
    }
    return [...found.values()]
  }

  /** All that the one at the cursor wrote in this list. */
  pickAll(): void {
    const cursor = this.picker().cursor
    const participant = cursor === null ? null : (this.entry(cursor)?.participant ?? null)
    if (participant !== null) this.pickFrom(participant)
  }

  pickFrom(participant: string): void {
    const keys =
      this.place === 'queue'
        ? this.queue.filter((entry) => entry.participant === participant).map(({ key }) => key)
        : this.place === 'chat'
          ? this.chatShown.filter((message) => message.participant === participant).map(({ id }) => id)
          : this.board.filter((question) => question.participant === participant).map(({ id }) => id)
    this.picker().select(keys)
  }

  // --- what is done -------------------------------------------------------------------------------------------------

  do(command: ModeratorCommand): Promise<Record<string, unknown> | null> {
    return this.commands.do(command)
  }

  approve(targets = this.targets): void {
    if (targets.length === 0 || this.warn(targets, 'approve')) return
    // A deleted message comes back this way as well.
    const back = targets.filter(({ message }) => message?.state === 'deleted')
    const open = targets.map((entry) => (back.includes(entry) ? { ...entry, waits: true } : entry))
    const again = open.map((entry) =>
      entry.question && entry.question.state !== 'pending' && entry.reports.length === 0
        ? { ...entry, waits: true }
        : entry,
    )
    void this.finish(approve(again, subjectOf(targets)))
  }

  remove(targets = this.targets, reason = ''): void {
    if (targets.length === 0 || this.warn(targets, 'delete')) return
    void this.finish(remove(targets, subjectOf(targets), reason))
  }

  mute(seconds: number, targets = this.targets): void {
    const people = this.people(targets)
    if (people.length > 0) void this.do(mute(people, seconds))
  }

  askBan(targets = this.targets): void {
    const people = this.people(targets)
    if (people.length === 0) return
    this.asking = { kind: 'ban', people, said: targets.slice(0, 3).map(({ text }) => text ?? '') }
  }

  ban(people: readonly Person[], reason: string, removing: boolean): void {
    this.asking = null
    void this.finish(ban(people, reason, removing))
  }

  askCard(targets = this.targets): void {
    const [person] = this.people(targets)
    if (person) this.asking = { kind: 'card', participant: person.id, name: person.name }
  }

  stage(targets = this.targets): void {
    const question = targets.find(({ kind }) => kind === 'question')?.question
    if (!question || this.warn(targets, 'on_stage')) return
    void this.finish(moved([question.id], 'on_stage', question.text))
  }

  /** Of the questions here; with none chosen, the one on stage. */
  answered(targets = this.targets): void {
    const [onStage] = this.audience.onStage
    const chosen = targets.filter(({ question }) => question?.state === 'on_stage' || question?.state === 'approved')
    const ids = chosen.length > 0 ? chosen.map(({ key }) => key) : onStage ? [onStage.id] : []
    const subject = ids.length === 1 ? (this.audience.questions.get(ids[0]!)?.text ?? '') : ''
    if (ids.length > 0) void this.finish(moved(ids, 'answered', subject))
  }

  shield(): void {
    const up = this.audience.mode?.shield !== true
    void this.do(one(up ? 'shield.up' : 'shield.down', 'room.mode', { shield: up }))
  }

  mode(change: Record<string, unknown>, subject = ''): Promise<Record<string, unknown> | null> {
    return this.do(one('mode', 'room.mode', change, subject))
  }

  /** Whether the shortcut meant something here. Search and pause are the page's. */
  press(shortcut: Shortcut): boolean {
    switch (shortcut) {
      case 'down':
        this.move(1)
        return true
      case 'up':
        this.move(-1)
        return true
      case 'left':
        this.turn(-1)
        return true
      case 'right':
        this.turn(1)
        return true
      case 'pick':
        this.picker().toggle()
        return true
      case 'pickAll':
        this.pickAll()
        return true
      case 'pickEvery':
        this.follow()
        this.picker().every()
        return true
      case 'approve':
        this.approve()
        return true
      case 'delete':
        this.remove()
        return true
      case 'deleteWhy': {
        const { targets } = this
        if (targets.length > 0) this.asking = { kind: 'reason', entries: targets, subject: subjectOf(targets) }
        return true
      }
      case 'mute1':
        this.mute(MUTES[0])
        return true
      case 'mute2':
        this.mute(MUTES[1])
        return true
      case 'mute3':
        this.mute(MUTES[2])
        return true
      case 'ban':
        this.askBan()
        return true
      case 'card':
        this.askCard()
        return true
      case 'stage':
        this.stage()
        return true
      case 'answered':
        this.answered(this.place === 'questions' ? this.targets : [])
        return true
      case 'undo':
        void this.commands.undoLast()
        return true
      case 'shield':
        this.shield()
        return true
      case 'pause':
        if (this.pause.has('key')) this.pause.let('key')
        else this.pause.hold('key')
        return true
      case 'poll':
        this.asking = { kind: 'poll' }
        return true
      case 'help':
        this.asking = { kind: 'keys' }
        return true
      case 'clear':
        for (const place of PLACES) this.picker(place).clear()
        this.commands.forgetRefusal()
        return false
      case 'search':
        return false
    }
  }

  private async finish(command: ModeratorCommand): Promise<void> {
    const picker = this.picker()
    const [item] = command.items ?? []
    // On to the next while it is under way: what is done is not looked at again.
    if (picker.selected.size === 0 && command.items?.length === 1 && picker.cursor === item) this.move(1)
    if ((await this.do(command)) !== null) picker.clear()
  }

  // --- claims -------------------------------------------------------------------------------------------------------

  /** The other moderator who works on it. */
  claimedBy(key: string): string | null {
    const claim = this.audience.claims.get(key)
    if (!claim?.by || claim.until_ms <= this.now_ms) return null
    return (this.claimed.get(key) ?? 0) > this.now_ms || this.released.has(key) ? null : claim.by
  }

  /** Once: whoever does it again means it. */
  private warn(targets: readonly Entry[], kind: ModeratorCommand['kind']): boolean {
    const other = targets.find(({ key }) => this.claimedBy(key) !== null)
    if (!other || this.warned === other.key) {
      this.warned = null
      return false
    }
    this.warned = other.key
    this.commands.refuse(kind, subjectOf(targets), 'claimed', this.claimedBy(other.key))
    return true
  }

  /** An item that a moderator stays at for a moment is claimed for them, and again as long as they are at it. */
  private claimSoon(): void {
    clearTimeout(this.claimTimer)
    const key = this.place === 'queue' ? this.queuePick.cursor : null
    for (const held of [...this.claimed.keys()]) if (held !== key) this.release(held)
    if (key === null) return
    this.claimTimer = setTimeout(() => void this.claim(key), CLAIM_AFTER_MS)
  }

  private async claim(key: string): Promise<void> {
    if (
      this.queuePick.cursor !== key ||
      this.live !== 'connected' ||
      (typeof document !== 'undefined' && document.hidden)
    )
      return
    this.claimed.set(key, this.now() + CLAIM_AGAIN_MS * 1.5)
    const answer = await this.socket.send('claim', { id: key })
    if (!answer.ok) this.claimed.delete(key)
    if (this.queuePick.cursor !== key) return this.release(key)
    this.claimTimer = setTimeout(() => void this.claim(key), CLAIM_AGAIN_MS)
  }

  letGo(): void {
    clearTimeout(this.claimTimer)
    for (const key of [...this.claimed.keys()]) this.release(key)
  }

  private release(key: string): void {
    this.claimed.delete(key)
    if (this.live !== 'connected') return
    this.released.add(key)
    void this.socket.send('claim', { id: key, on: false }).then(() => this.released.delete(key))
  }

  // --- asked for ----------------------------------------------------------------------------------------------------

  async card(participant: string): Promise<Card | null> {
    const answer = await this.socket.send('participant.card', { id: participant })
    return answer.ok ? readCard(answer.data['card']) : null
  }

  /** The log further back. */
  async moreActions(): Promise<void> {
    const last = this.earlier.at(-1) ?? this.audience.actions.at(-1)
    if (this.earlier.length >= EARLIER_MOST) return
    const answer = await this.socket.send('action.list', last ? { before: last.at_ms } : {})
    if (!answer.ok) return
    const more = listOf(readAction)(answer.data['actions'])
    this.logEnds = more.length === 0
    this.earlier = [...this.earlier, ...more]
  }
}

const subjectOf = (targets: readonly Entry[]): string => (targets.length === 1 ? (targets[0]!.text ?? '') : '')
