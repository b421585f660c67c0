/* eslint svelte/prefer-svelte-reactivity: "off" -- sets and maps are replaced, never changed in place */
/**
 * One audience as its moderators see it: everything, whatever its state. State only: it is fed with what `/moderation` sends.
 */
import type { LiveEvent } from '$lib/live/socket'
import type { JsonObject } from '$lib/api/types'
import { isRecord, listOf, readRecord, readText, readTextOrNull } from '$lib/api/read'
import { readSession, type Session } from '$lib/protocol/day'
import {
  type ChatMessage,
  MESSAGE_STATES,
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
  type RoomMode,
} from '$features/talk/model/items'
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
} from '$features/talk/model/orders'
import {
  type Action,
  type AddressHold,
  type Claim,
  type CrewMessage,
  readAction,
  readClaim,
  readAddressHold,
  readCrewMessage,
  readReport,
  readSanction,
  readTrouble,
  type Report,
  type Sanction,
  type Trouble,
} from './wire'

/** Messages that wait are kept besides, however old. */
export const MOST_MESSAGES = 2_000
const MOST_ACTIONS = 300
const MOST_LINES = 200

const waits = ({ state }: ChatMessage): boolean => state === 'held' || state === 'delayed'

export class ModerationState {
  /** Whether a snapshot has come. */
  known = $state(false)
  /** In the server's order. */
  messages = $state.raw<readonly ChatMessage[]>([])
  questions = $state.raw<ReadonlyMap<string, Question>>(new Map())
  order = $state.raw<Order>(IN_ORDER)
  /** Ids of what the session before left unanswered. */
  leftOver = $state.raw<readonly string[]>([])
  polls = $state.raw<readonly Poll[]>([])
  mode = $state.raw<RoomMode | null>(null)
  notice = $state.raw<NoticeItem | null>(null)
  presence = $state.raw<Presence | null>(null)
  /** By participant. */
  sanctions = $state.raw<ReadonlyMap<string, Sanction>>(new Map())
  holds = $state.raw<readonly AddressHold[]>([])
  /** Open ones, by id. */
  reports = $state.raw<ReadonlyMap<string, Report>>(new Map())
  /** The newest first. */
  actions = $state.raw<readonly Action[]>([])
  /** The newest last. */
  lines = $state.raw<readonly CrewMessage[]>([])
  claims = $state.raw<ReadonlyMap<string, Claim>>(new Map())
  /** By kind. */
  troubles = $state.raw<ReadonlyMap<string, Trouble>>(new Map())
  reactions = $state.raw<ReadonlyMap<string, number>>(new Map())
  /** The session whose questions are worked on; null: the room's own. */
  session = $state<string | null>(null)
  /** The session that runs in the room, closed ones included, and the one after it. */
  running = $state.raw<Session | null>(null)
  next = $state.raw<Session | null>(null)
  /** In a closed session's own audience: that session. */
  own = $state.raw<Session | null>(null)

  readonly byId: ReadonlyMap<string, ChatMessage> = $derived(new Map(this.messages.map((one) => [one.id, one])))
  /** Approved, in the server's order. */
  readonly waiting: readonly Question[] = $derived(inTurn(this.inState('approved'), this.order))
  readonly onStage: readonly Question[] = $derived(this.inState('on_stage').sort(lastStagedFirst))
  /** The last one answered first. */
  readonly answered: readonly Question[] = $derived(this.inState('answered').sort(lastAnsweredFirst))
  readonly dismissed: readonly Question[] = $derived(this.inState('dismissed').sort((a, b) => inTime(b, a)))
  /** Of the session before, the oldest first. */
  readonly left: readonly Question[] = $derived(
    this.leftOver
      .map((id) => this.questions.get(id))
      .filter(
        (one): one is Question =>
          one !== undefined && one.archived === true && (one.state === 'approved' || one.state === 'pending'),
      ),
  )

  private inState(state: Question['state']): Question[] {
    return [...this.questions.values()].filter(
      (one) => one.state === state && one.archived !== true && !one.mergedInto && one.withdrawn !== true,
    )
  }

  /** Those that became part of a question. */
  partsOf(id: string): Question[] {
    return [...this.questions.values()].filter(({ mergedInto }) => mergedInto === id)
  }

  /** The name that somebody goes by, as far as it is known here. */
  nameOf(participant: string | null): string {
    if (participant === null) return ''
    const said = this.messages.findLast((one) => one.participant === participant)
    if (said?.name) return said.name
    for (const question of this.questions.values()) {
      if (question.participant === participant && question.name) return question.name
    }
    return this.sanctions.get(participant)?.name ?? ''
  }

  /**
   * Takes a snapshot. One that resumes leaves everything as it is: what was missed follows as events.
   *
   * @param reset events are missing in between
   */
  snapshot(data: JsonObject, room: string, reset = false): void {
    const entry = readRecord(data['rooms'])[room]
    if (isRecord(entry)) {
      this.running = readSession(entry['session'])
      this.next = readSession(entry['next'])
    }
    this.own = readSession(data['session']) ?? this.own
    const { moderation } = data
    if (!isRecord(moderation)) {
      if (reset) this.known = false
      return
    }
    this.session = readTextOrNull(moderation['session'])
    this.messages = listOf(readMessage)(moderation['chat']).sort(inTime)
    this.questions = byId(listOf(readQuestion)(moderation['questions']))
    this.order = readOrder(moderation['order']) ?? IN_ORDER
    this.leftOver = listOf(readTextOrNull)(moderation['left_over'])
    this.polls = listOf(readPoll)(moderation['polls'])
    this.mode = readMode(moderation['mode'])
    this.notice = readNotice(moderation['notice'])
    this.presence = readPresence(moderation['presence'])
    this.sanctions = new Map(listOf(readSanction)(moderation['sanctions']).map((one) => [one.participant, one]))
    this.holds = listOf(readAddressHold)(moderation['address_holds'])
    this.reports = byId(listOf(readReport)(moderation['reports']).filter(({ resolved }) => !resolved))
    this.actions = listOf(readAction)(moderation['actions'])
    this.lines = listOf(readCrewMessage)(moderation['lines'])
    this.claims = byId(listOf(readClaim)(moderation['claims']))
    this.troubles = new Map()
    this.known = true
  }

  /** New ones, in order; messages are put in their places once for all of them. */
  events(batch: readonly LiveEvent[]): void {
    const changed = new Map<string, ChatMessage | null>()
    for (const event of batch) {
      const { type, data } = event
      switch (type) {
        case 'chat.message': {
          const message = readMessage(data)
          if (message) changed.set(message.id, message)
          break
        }
        case 'chat.deleted': {
          const id = readText(data['id'])
          const known = changed.get(id) ?? this.byId.get(id)
          const state = MESSAGE_STATES.find((one) => one === data['state'])
          if (!known) break
          // Without a state it has been erased for good.
          const reason = readTextOrNull(data['reason'])
          changed.set(id, state ? { ...known, state, reason, until_ms: null } : null)
          break
        }
        default:
          this.event(event)
      }
    }
    if (changed.size > 0) this.put(changed)
  }

  private event({ type, at_ms, data }: LiveEvent): void {
    switch (type) {
      case 'question.changed': {
        const question = readQuestion(data)
        const id = question?.id ?? readRemoved(data)?.id
        if (id !== undefined) this.questions = withItem(this.questions, id, question)
        break
      }
      case 'question.order':
        this.order = readOrder(data) ?? this.order
        break
      case 'questions.session':
        this.refocus(readTextOrNull(data['session']), listOf(readTextOrNull)(data['left_over']))
        break
      case 'poll.changed':
        this.polls = afterPoll(this.polls, data)
        break
      case 'reaction.counts':
        this.reactions = readCounts(data)
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
      case 'sanction': {
        const one = readSanction(data)
        if (!one) break
        const over = !one.banned && one.mutedUntil_ms === null
        this.sanctions = withItem(this.sanctions, one.participant, over ? null : one)
        break
      }
      case 'report': {
        const one = readReport(data)
        if (one) this.reports = withItem(this.reports, one.id, one.resolved ? null : one)
        break
      }
      case 'trouble': {
        const one = readTrouble(data, at_ms)
        if (one) this.troubles = new Map(this.troubles).set(one.kind, one)
        break
      }
      case 'claim': {
        const one = readClaim(data)
        if (one) this.claims = withItem(this.claims, one.id, one.by === null ? null : one)
        break
      }
      case 'crew.line': {
        const id = readText(data['id'])
        const line = readCrewMessage(data)
        this.lines = [...this.lines.filter((one) => one.id !== id), ...(line ? [line] : [])].slice(-MOST_LINES)
        break
      }
      case 'action': {
        const one = readAction(data)
        if (!one) break
        const known = this.actions.some(({ id }) => id === one.id)
        if (known) this.actions = this.actions.map((other) => (other.id === one.id ? one : other))
        else this.actions = [one, ...this.actions].slice(0, MOST_ACTIONS)
        break
      }
      case 'session.changed':
        this.sessionChanged(data)
        break
      case 'broadcast.changed': {
        // Ids of public sessions: a closed one is told by its own event.
        if (data['session'] === null && this.running?.visibility === 'public') this.running = null
        break
      }
    }
  }

  private sessionChanged(data: JsonObject): void {
    const id = readTextOrNull(data['id'])
    const session = readSession(data)
    const runs = session !== null && (session.state === 'on_air' || session.state === 'overrun')
    if (session && this.own?.id === session.id) this.own = session
    if (runs) this.running = session
    else if (id !== null && this.running?.id === id) this.running = null
    if (runs && this.next?.id === id) this.next = null
    else if (this.next?.id === id) this.next = session
  }

  /** Questions of the session before stay here, marked: they may be carried over. */
  private refocus(session: string | null, leftOver: readonly string[]): void {
    this.session = session
    this.leftOver = leftOver
    this.questions = new Map(
      [...this.questions].map(([id, one]) => [id, { ...one, archived: session === null || one.session !== session }]),
    )
  }

  private put(changed: ReadonlyMap<string, ChatMessage | null>): void {
    const messages = this.messages.filter(({ id }) => !changed.has(id))
    for (const message of changed.values()) if (message) messages.push(message)
    messages.sort(inTime)
    const over = messages.length - MOST_MESSAGES
    this.messages = over > 0 ? messages.filter((one, index) => index >= over || waits(one)) : messages
  }
}
