// Maps and sets here are values: each change makes another one, told by $state.raw.
/* eslint-disable svelte/prefer-svelte-reactivity */
import type { LiveEvent } from '$lib/live/socket'
import type { JsonObject } from '$lib/api/types'
import { isRecord, listOf, readRecord, readText, readTextOrNull } from '$lib/api/read'
import {
  type ChatMessage,
  type NoticeItem,
  type Order,
  type Poll,
  type Presence,
  type Question,
  readCounts,
  readMessage,
  readMode,
  readNotice,
  readOrder,
  readPoll,
  readPresence,
  readQuestion,
  readRemoved,
  readStanding,
  readYou,
  type RoomMode,
  type Standing,
  type You,
} from './items'
import {
  afterNotice,
  afterPoll,
  byId,
  IN_ORDER,
  inTime,
  inTurn,
  lastAnsweredFirst,
  lastStagedFirst,
  withItem,
} from './orders'

/** Messages that are kept, the newest; a page shows no more. */
export const MOST_MESSAGES = 400

const NOBODY: You = { id: '', role: null, name: '', place: '', key: null }
/**
 * One audience as everybody sees it, and what is the participant's own. State only: it is fed with what `/audience` sends,
 * and knows neither the socket nor the page.
 */
export class Conversation {
  /** Whether a snapshot has come. */
  known = $state(false)
  you = $state.raw<You>(NOBODY)
  standing = $state.raw<Standing>({ mutedUntil_ms: null, banned: false })
  /** In order, one's own held and delayed ones in between; at most {@link MOST_MESSAGES}. */
  messages = $state.raw<readonly ChatMessage[]>([])
  mode = $state.raw<RoomMode | null>(null)
  notice = $state.raw<NoticeItem | null>(null)
  presence = $state.raw<Presence | null>(null)
  /** The session whose questions are worked on; null: the room's own. */
  session = $state<string | null>(null)
  /** Questions that one has voted for. */
  votes = $state.raw<ReadonlySet<string>>(new Set())
  /** Poll -> the options that one has chosen. */
  choices = $state.raw<ReadonlyMap<string, readonly number[]>>(new Map())
  /** The last count, once a second; `seq` tells one from another. */
  reactions = $state.raw<{ seq: number; counts: ReadonlyMap<string, number> } | null>(null)

  private shown = $state.raw<ReadonlyMap<string, Question>>(new Map())
  private own = $state.raw<ReadonlyMap<string, Question>>(new Map())
  private order = $state.raw<Order>(IN_ORDER)
  private everyPoll = $state.raw<readonly Poll[]>([])

  readonly orderBy = $derived(this.order.by)
  /** Approved, as the moderators', the speaker's and the hall's screens have them. */
  readonly waiting: readonly Question[] = $derived(inTurn(this.inState('approved'), this.order))
  /** The one that came last is what the screens show. */
  readonly onStage: readonly Question[] = $derived(this.inState('on_stage').sort(lastStagedFirst))
  /** The last one answered first. */
  readonly answered: readonly Question[] = $derived(this.inState('answered').sort(lastAnsweredFirst))
  /** One's own, whatever became of them, the newest first. */
  readonly mine: readonly Question[] = $derived([...this.own.values()].sort((a, b) => inTime(b, a)))
  /** Open ones, then those of this session that are closed; the newest first. */
  readonly polls: readonly Poll[] = $derived(
    this.everyPoll
      .filter((poll) => poll.open || poll.session === this.session)
      .sort((a, b) => Number(b.open) - Number(a.open) || b.at_ms - a.at_ms),
  )

  private inState(state: Question['state']): Question[] {
    return [...this.shown.values()].filter((question) => question.state === state)
  }

  message(id: string): ChatMessage | null {
    return this.messages.find((message) => message.id === id) ?? null
  }

  question(id: string): Question | null {
    return this.shown.get(id) ?? this.own.get(id) ?? null
  }

  isMine(question: Question): boolean {
    return this.own.has(question.id)
  }

  /**
   * Takes a snapshot. One that resumes leaves everything as it is: what was missed follows as events.
   *
   * @param reset events are missing in between
   */
  snapshot(data: JsonObject, reset: boolean): void {
    this.you = readYou(data['you']) ?? this.you
    const { audience } = data
    if (!isRecord(audience)) {
      if (reset) this.forget()
      return
    }
    const own = readRecord(data['own'])
    // The name that was set last counts, wherever this page's own memory of it comes from.
    const name = readTextOrNull(readRecord(own['you'])['name'])
    if (name !== null) this.you = { ...this.you, name }
    this.session = readTextOrNull(audience['session'])
    this.shown = byId(listOf(readQuestion)(audience['questions']))
    this.order = readOrder(audience['order']) ?? IN_ORDER
    this.everyPoll = listOf(readPoll)(audience['polls'])
    this.mode = readMode(audience['mode'])
    this.notice = readNotice(audience['notice'])
    this.presence = readPresence(audience['presence'])
    this.standing = readStanding(own['you']) ?? { mutedUntil_ms: null, banned: false }
    this.own = byId(listOf(readQuestion)(own['questions']).filter(({ withdrawn }) => withdrawn !== true))
    this.votes = new Set(listOf(readTextOrNull)(own['votes']))
    this.choices = readChoices(own['polls'])
    const messages = new Map<string, ChatMessage>()
    for (const list of [audience['chat'], own['chat']]) {
      for (const message of listOf(readMessage)(list)) messages.set(message.id, message)
    }
    this.messages = [...messages.values()].sort(inTime).slice(-MOST_MESSAGES)
    this.known = true
  }

  event(event: LiveEvent): void {
    this.events([event])
  }

  /** New ones, in order; messages are put in their places once for all of them. */
  events(batch: readonly LiveEvent[]): void {
    const changed = new Map<string, ChatMessage | null>()
    for (const { type, data, seq } of batch) {
      switch (type) {
        case 'chat.message': {
          const message = readMessage(data)
          if (message) changed.set(message.id, message)
          break
        }
        case 'chat.deleted':
          changed.set(readText(data['id']), null)
          break
        case 'question.changed':
          this.questionChanged(data)
          break
        case 'question.order':
          this.order = readOrder(data) ?? this.order
          break
        case 'questions.session':
          this.session = readTextOrNull(data['session'])
          break
        case 'poll.changed':
          this.everyPoll = afterPoll(this.everyPoll, data)
          break
        case 'reaction.counts':
          this.reactions = { seq, counts: readCounts(data) }
          break
        case 'presence':
          this.presence = readPresence(data) ?? this.presence
          break
        case 'room.mode':
          this.mode = readMode(data) ?? this.mode
          break
        case 'notice':
          this.notice = afterNotice(this.notice, data)
          break
        case 'you':
          this.standing = readStanding(data) ?? this.standing
          break
      }
    }
    if (changed.size > 0) this.put(changed)
  }

  /** One's vote, before the server has answered or as it has. */
  voted(question: string, value: boolean): void {
    const votes = new Set(this.votes)
    if (value) votes.add(question)
    else votes.delete(question)
    this.votes = votes
  }

  chose(poll: string, options: readonly number[]): void {
    const choices = new Map(this.choices)
    if (options.length > 0) choices.set(poll, options)
    else choices.delete(poll)
    this.choices = choices
  }

  /** The name that one goes by from now on. */
  named(name: string, place: string): void {
    this.you = { ...this.you, name, place }
  }

  private put(changed: ReadonlyMap<string, ChatMessage | null>): void {
    const messages = this.messages.filter(({ id }) => !changed.has(id))
    for (const message of changed.values()) if (message) messages.push(message)
    this.messages = messages.sort(inTime).slice(-MOST_MESSAGES)
  }

  private questionChanged(data: JsonObject): void {
    const gone = readRemoved(data)
    if (gone) {
      this.shown = withItem(this.shown, gone.id, null)
      return
    }
    const question = readQuestion(data)
    if (!question) return
    if (question.mine !== true) this.shown = withItem(this.shown, question.id, question)
    else if (question.withdrawn === true) this.own = withItem(this.own, question.id, null)
    else this.own = withItem(this.own, question.id, question)
  }

  private forget(): void {
    this.messages = []
    this.shown = new Map()
    this.own = new Map()
    this.order = IN_ORDER
    this.everyPoll = []
    this.notice = null
    this.known = false
  }
}

function readChoices(value: unknown): Map<string, readonly number[]> {
  const choices = new Map<string, readonly number[]>()
  for (const [poll, options] of Object.entries(readRecord(value))) {
    const chosen = listOf((option) => (typeof option === 'number' ? option : null))(options)
    if (chosen.length > 0) choices.set(poll, chosen)
  }
  return choices
}
