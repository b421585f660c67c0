/**
 * What an audience says and is told, as `streamer/realtime/protocol.md` has it. Readers take whatever came and answer null
 * where it is none of it; times become UTC ms. Texts are plain text: whatever looks like markup is not.
 *
 * Fields that only some are told (moderators, an item's author) are optional.
 */
import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'

export const CHAT_MODES = ['open', 'slow', 'review', 'read_only', 'questions_only', 'closed'] as const
export type ChatMode = (typeof CHAT_MODES)[number]
export const QUESTION_MODES = ['open', 'review', 'closed'] as const
export type QuestionMode = (typeof QUESTION_MODES)[number]
export const QUESTION_ORDERS = ['fair', 'votes', 'time'] as const
export type QuestionOrder = (typeof QUESTION_ORDERS)[number]
export const MESSAGE_STATES = ['visible', 'held', 'delayed', 'deleted', 'withdrawn'] as const
export type MessageState = (typeof MESSAGE_STATES)[number]
export const QUESTION_STATES = ['pending', 'approved', 'on_stage', 'answered', 'dismissed'] as const
export type QuestionState = (typeof QUESTION_STATES)[number]
/** Roles that are shown beside a name. */
export const SHOWN_ROLES = ['admin', 'organiser', 'technician', 'moderator', 'speaker', 'captioner'] as const
export type ShownRole = (typeof SHOWN_ROLES)[number]
/** Whose messages are neither reviewed nor slowed, and who write where the room only reads. */
const TRUSTED: ReadonlySet<string> = new Set(['admin', 'organiser', 'technician', 'moderator', 'speaker'])
/** Who moderates. */
const CREW: ReadonlySet<string> = new Set(['admin', 'organiser', 'moderator'])

export const isTrusted = (role: string | null): boolean => role !== null && TRUSTED.has(role)
export const isCrew = (role: string | null): boolean => role !== null && CREW.has(role)

export interface ChatMessage {
  id: string
  participant: string
  name: string
  role: ShownRole | null
  text: string
  at_ms: number
  mediaAt_ms: number
  session: string | null
  replyTo: string | null
  state: MessageState
  /** Moderators: why it is held or was deleted. */
  reason?: string | null
  /** Moderators: when a delayed one is shown to others. */
  until_ms?: number | null
}

export interface Question {
  id: string
  /** Null: anonymous, or entered by a moderator. */
  participant: string | null
  name: string | null
  role: ShownRole | null
  anonymous: boolean
  place: string | null
  text: string
  edited: boolean
  state: QuestionState
  votes: number
  at_ms: number
  mediaAt_ms: number
  stagedAt_ms: number | null
  answeredAt_ms: number | null
  session: string | null
  /** Its author's own view. */
  mine?: boolean
  /** Author, moderators: the question that it became a part of. */
  mergedInto?: string | null
  withdrawn?: boolean
  /** Moderators: as it was asked, where it was edited. */
  original?: string | null
  reason?: string | null
  /** Moderators: of a session that is not worked on any more. */
  archived?: boolean
}

export interface PollOption {
  id: number
  text: string
  /** Null while the results are kept back. */
  votes: number | null
}

export interface Poll {
  id: string
  kind: 'single' | 'multiple'
  question: string
  options: readonly PollOption[]
  /** People who voted. */
  voters: number
  open: boolean
  resultsAtEnd: boolean
  at_ms: number
  mediaAt_ms: number
  closedAt_ms: number | null
  session: string | null
}

export interface RoomMode {
  chat: ChatMode
  slow_s: number
  questions: QuestionMode
  /** Whether questions may be asked without a name. */
  anonymous: boolean
  order: QuestionOrder
  /** Moderators. */
  hold_s?: number
  shield?: boolean
  words?: readonly string[]
  networks?: readonly string[]
}

export interface NoticeItem {
  id: string
  text: string
  at_ms: number
  until_ms: number | null
}

export interface Presence {
  /** Who has the page open. */
  participants: number
  hls: number
  whep: number
  /** Who watches, however. */
  viewers: number
}

/** A snapshot's `you`. */
export interface You {
  id: string
  /** Null without a grant for this room or session. */
  role: string | null
  name: string
  place: string
  /** The token of a participant who is new, for pages without our cookie. */
  key: string | null
}

/** What holds for the participant: the event `you`, and `own.you` of a snapshot. */
export interface Standing {
  mutedUntil_ms: number | null
  banned: boolean
}

export interface Order {
  by: QuestionOrder
  ids: readonly string[]
}

/** What an event says of an item that is not to be seen any more. */
export interface Removed {
  id: string
  state: string | null
  archived: boolean
}

const oneOf = <const T extends string>(known: readonly T[], value: unknown): T | null =>
  known.find((item) => item === value) ?? null
const readCount = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0
const readTexts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []

/** Of a list, what can be read. */
export function readItems<T>(value: unknown, read: (item: unknown) => T | null): T[] {
  return Array.isArray(value) ? value.map(read).filter((item) => item !== null) : []
}

/** An event that takes an item away; null where it tells one. */
export function readRemoved(data: unknown): Removed | null {
  if (!isRecord(data) || data['removed'] !== true) return null
  const id = readTextOrNull(data['id'])
  return id === null ? null : { id, state: readTextOrNull(data['state']), archived: data['archived'] === true }
}

export function readMessage(data: unknown): ChatMessage | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const at_ms = readTime(data['at'])
  if (id === null || at_ms === null || typeof data['text'] !== 'string') return null
  const message: ChatMessage = {
    id,
    participant: readText(data['participant']),
    name: readText(data['name']),
    role: oneOf(SHOWN_ROLES, data['role']),
    text: data['text'],
    at_ms,
    mediaAt_ms: readTime(data['media_at']) ?? at_ms,
    session: readTextOrNull(data['session']),
    replyTo: readTextOrNull(data['reply_to']),
    // A state that is not known is none that others see.
    state: oneOf(MESSAGE_STATES, data['state']) ?? 'held',
  }
  if ('reason' in data) message.reason = readTextOrNull(data['reason'])
  if ('until' in data) message.until_ms = readTime(data['until'])
  return message
}

export function readQuestion(data: unknown): Question | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const at_ms = readTime(data['at'])
  const state = oneOf(QUESTION_STATES, data['state'])
  if (id === null || at_ms === null || state === null || typeof data['text'] !== 'string') return null
  const question: Question = {
    id,
    participant: readTextOrNull(data['participant']),
    name: readTextOrNull(data['name']),
    role: oneOf(SHOWN_ROLES, data['role']),
    anonymous: data['anonymous'] === true,
    place: readTextOrNull(data['place']),
    text: data['text'],
    edited: data['edited'] === true,
    state,
    votes: readCount(data['votes']),
    at_ms,
    mediaAt_ms: readTime(data['media_at']) ?? at_ms,
    stagedAt_ms: readTime(data['staged_at']),
    answeredAt_ms: readTime(data['answered_at']),
    session: readTextOrNull(data['session']),
  }
  if (data['mine'] === true) question.mine = true
  if ('merged_into' in data) question.mergedInto = readTextOrNull(data['merged_into'])
  if ('withdrawn' in data) question.withdrawn = data['withdrawn'] === true
  if ('original' in data) question.original = readTextOrNull(data['original'])
  if ('reason' in data) question.reason = readTextOrNull(data['reason'])
  if ('archived' in data) question.archived = data['archived'] === true
  return question
}

function readOption(data: unknown): PollOption | null {
  if (!isRecord(data) || typeof data['id'] !== 'number' || typeof data['text'] !== 'string') return null
  return { id: data['id'], text: data['text'], votes: data['votes'] === null ? null : readCount(data['votes']) }
}

export function readPoll(data: unknown): Poll | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const at_ms = readTime(data['at'])
  const options = readItems(data['options'], readOption)
  if (id === null || at_ms === null || typeof data['question'] !== 'string' || options.length === 0) return null
  return {
    id,
    kind: data['kind'] === 'multiple' ? 'multiple' : 'single',
    question: data['question'],
    options,
    voters: readCount(data['voters']),
    open: data['state'] === 'open',
    resultsAtEnd: data['results_at_end'] === true,
    at_ms,
    mediaAt_ms: readTime(data['media_at']) ?? at_ms,
    closedAt_ms: readTime(data['closed_at']),
    session: readTextOrNull(data['session']),
  }
}

export function readMode(data: unknown): RoomMode | null {
  if (!isRecord(data)) return null
  const chat = oneOf(CHAT_MODES, data['chat'])
  const questions = oneOf(QUESTION_MODES, data['questions'])
  if (chat === null || questions === null) return null
  const mode: RoomMode = {
    chat,
    slow_s: readCount(data['slow_seconds']),
    questions,
    anonymous: data['anonymous'] === true,
    order: oneOf(QUESTION_ORDERS, data['order']) ?? 'fair',
  }
  if ('hold_seconds' in data) mode.hold_s = readCount(data['hold_seconds'])
  if ('shield' in data) mode.shield = data['shield'] === true
  if ('words' in data) mode.words = readTexts(data['words'])
  if ('networks' in data) mode.networks = readTexts(data['networks'])
  return mode
}

export function readNotice(data: unknown): NoticeItem | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const text = readTextOrNull(data['text'])
  const at_ms = readTime(data['at'])
  if (id === null || text === null || at_ms === null) return null
  return { id, text, at_ms, until_ms: readTime(data['until']) }
}

export function readPresence(data: unknown): Presence | null {
  if (!isRecord(data)) return null
  return {
    participants: readCount(data['participants']),
    hls: readCount(data['hls']),
    whep: readCount(data['whep']),
    viewers: readCount(data['viewers']),
  }
}

export function readYou(data: unknown): You | null {
  if (!isRecord(data)) return null
  return {
    id: readText(data['id']),
    role: readTextOrNull(data['role']),
    name: readText(data['name']),
    place: readText(data['place']),
    key: readTextOrNull(data['key']),
  }
}

export function readStanding(data: unknown): Standing | null {
  if (!isRecord(data)) return null
  return { mutedUntil_ms: readTime(data['muted_until']), banned: data['banned'] === true }
}

export function readOrder(data: unknown): Order | null {
  if (!isRecord(data) || !Array.isArray(data['ids'])) return null
  return { by: oneOf(QUESTION_ORDERS, data['by']) ?? 'fair', ids: readTexts(data['ids']) }
}

/** `reaction.counts`: kind -> how many since the last. */
export function readCounts(data: unknown): ReadonlyMap<string, number> {
  const counts = isRecord(data) && isRecord(data['counts']) ? data['counts'] : {}
  return new Map(
    Object.entries(counts)
      .map(([kind, count]) => [kind, readCount(count)] as const)
      .filter(([, count]) => count > 0),
  )
}
