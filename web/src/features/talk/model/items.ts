/**
 * An audience's items, as `streamer/realtime/protocol.md` has them; times become UTC ms. Texts are plain text: whatever looks
 * like markup is not. Fields that only some are told (moderators, an item's author) are optional.
 */
import {
  enumOr,
  enumOrNull,
  listOf,
  openEnum,
  type Read,
  readAnyText,
  readNumber,
  readRecord,
  readText,
  readTextOrNull,
  readTexts,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { SocketSchema } from '$lib/api/types'
import { SHOWN_ROLES } from '$lib/person'
import { CHAT_MODES, QUESTION_MODES } from '$lib/protocol/day'

export const QUESTION_ORDERS = ['fair', 'votes', 'time'] as const satisfies readonly SocketSchema['QuestionOrder'][]
export const MESSAGE_STATES = ['visible', 'held', 'delayed', 'deleted', 'withdrawn'] as const
export type QuestionState = SocketSchema['QuestionState']
/** Roles whose messages are neither reviewed nor slowed, and who write where the room only reads. */
const TRUSTED: ReadonlySet<string> = new Set(['admin', 'organiser', 'technician', 'moderator', 'speaker'])
/** Roles that moderate. */
const CREW: ReadonlySet<string> = new Set(['admin', 'organiser', 'moderator'])

export const isTrusted = (role: string | null): boolean => role !== null && TRUSTED.has(role)
export const isCrew = (role: string | null): boolean => role !== null && CREW.has(role)

const readCount = (value: unknown): number => Math.max(0, Math.floor(readNumber(value)))
const readRole = enumOr(SHOWN_ROLES, null)

const withMediaTime = <T extends { at_ms: number; media_ms: number | null }>(item: T | null) => {
  if (item === null) return null
  const { media_ms, ...rest } = item
  return { ...rest, mediaAt_ms: media_ms ?? item.at_ms }
}

const readToldMessage = shape<SocketSchema['ChatMessage']>()(({ field, needed, maybe }) => ({
  id: needed('id', readTextOrNull),
  participant: field('participant', readText),
  name: field('name', readText),
  role: field('role', readRole),
  text: needed('text', readAnyText),
  at_ms: needed('at', readTime),
  media_ms: field('media_at', readTime),
  session: field('session', readTextOrNull),
  replyTo: field('reply_to', readTextOrNull),
  // A state that is not known is none that others see.
  state: field('state', enumOr(MESSAGE_STATES, 'held')),
  /** Moderators: why it is held or was deleted. */
  reason: maybe('reason', readTextOrNull),
  /** Moderators: when a delayed one is shown to others. */
  until_ms: maybe('until', readTime),
}))
export const readMessage = (data: unknown) => withMediaTime(readToldMessage(data))
export type ChatMessage = Read<typeof readMessage>

const readToldQuestion = shape<SocketSchema['QuestionChanged']>()(({ field, needed, maybe }) => ({
  id: needed('id', readTextOrNull),
  /** Null: anonymous, or entered by a moderator. */
  participant: field('participant', readTextOrNull),
  name: field('name', readTextOrNull),
  role: field('role', readRole),
  anonymous: field('anonymous', readYes),
  place: field('place', readTextOrNull),
  text: needed('text', readAnyText),
  edited: field('edited', readYes),
  state: needed('state', openEnum<QuestionState>()),
  votes: field('votes', readCount),
  at_ms: needed('at', readTime),
  media_ms: field('media_at', readTime),
  stagedAt_ms: field('staged_at', readTime),
  answeredAt_ms: field('answered_at', readTime),
  session: field('session', readTextOrNull),
  /** Its author's own view. */
  mine: maybe('mine', readYes),
  /** Author, moderators: the question that it became a part of. */
  mergedInto: maybe('merged_into', readTextOrNull),
  withdrawn: maybe('withdrawn', readYes),
  /** Moderators: as it was asked, where it was edited. */
  original: maybe('original', readTextOrNull),
  reason: maybe('reason', readTextOrNull),
  /** Moderators: of a session that is not worked on any more. */
  archived: maybe('archived', readYes),
}))
export const readQuestion = (data: unknown) => withMediaTime(readToldQuestion(data))
export type Question = Read<typeof readQuestion>

export const POLL_KINDS = ['single', 'multiple', 'rating'] as const satisfies readonly SocketSchema['PollKind'][]
const readOption = shape<SocketSchema['PollOption']>()(({ field, needed }) => ({
  id: needed('id', (value) => (typeof value === 'number' ? value : null)),
  text: needed('text', readAnyText),
  /** Null while the results are kept back. */
  votes: field('votes', (value) => (value === null ? null : readCount(value))),
}))

const readToldPoll = shape<SocketSchema['PollChanged']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  kind: field('kind', enumOr(POLL_KINDS, 'single')),
  question: needed('question', readAnyText),
  options: needed('options', (value) => {
    const options = listOf(readOption)(value)
    return options.length > 0 ? options : null
  }),
  /** People who voted. */
  voters: field('voters', readCount),
  open: field('state', (value) => value === 'open'),
  /** Moderators: it is kept for later. */
  prepared: field('state', (value) => value === 'prepared'),
  resultsAtEnd: field('results_at_end', readYes),
  at_ms: needed('at', readTime),
  media_ms: field('media_at', readTime),
  closedAt_ms: field('closed_at', readTime),
  session: field('session', readTextOrNull),
}))
export const readPoll = (data: unknown) => withMediaTime(readToldPoll(data))
export type Poll = Read<typeof readPoll>

export type RoomMode = Read<typeof readMode>
export const readMode = shape<SocketSchema['ModeChanged']>()(({ field, needed, maybe }) => ({
  chat: needed('chat', enumOrNull(CHAT_MODES, 'read_only')),
  slow_s: field('slow_seconds', readCount),
  questions: needed('questions', enumOrNull(QUESTION_MODES, 'closed')),
  /** Whether questions may be asked without a name. */
  anonymous: field('anonymous', readYes),
  order: field('order', enumOr(QUESTION_ORDERS, 'fair')),
  /** Moderators. */
  hold_s: maybe('hold_seconds', readCount),
  shield: maybe('shield', readYes),
  words: maybe('words', readTexts),
  wordLists: maybe('word_lists', readTexts),
  networks: maybe('networks', readTexts),
}))

export type NoticeItem = Read<typeof readNotice>
export const readNotice = shape<SocketSchema['NoticeChanged']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  text: needed('text', readTextOrNull),
  at_ms: needed('at', readTime),
  until_ms: field('until', readTime),
}))

export type Presence = Read<typeof readPresence>
export const readPresence = shape<SocketSchema['Presence']>()(({ field }) => ({
  /** People who have the page open. */
  participants: field('participants', readCount),
  hls: field('hls', readCount),
  whep: field('whep', readCount),
  /** People who watch, however. */
  viewers: field('viewers', readCount),
}))

/** A snapshot's `you`. */
export type You = Read<typeof readYou>
export const readYou = shape<SocketSchema['You']>()(({ field }) => ({
  id: field('id', readText),
  /** Null without a grant for this room or session. */
  role: field('role', readTextOrNull),
  name: field('name', readText),
  place: field('place', readText),
  /** The token of a participant who is new, for pages without our cookie. */
  key: field('key', readTextOrNull),
}))

/** The participant's own mute and ban: the event `you`, and `own.you` of a snapshot. */
export type Standing = Read<typeof readStanding>
export const readStanding = shape<SocketSchema['YouChanged']>()(({ field }) => ({
  mutedUntil_ms: field('muted_until', readTime),
  banned: field('banned', readYes),
}))

export type Order = Read<typeof readOrder>
export const readOrder = shape<SocketSchema['QuestionOrderChanged']>()(({ field, needed }) => ({
  by: field('by', enumOr(QUESTION_ORDERS, 'fair')),
  ids: needed('ids', (value) => (Array.isArray(value) ? readTexts(value) : null)),
}))

const readToldRemoved = shape<SocketSchema['Removed']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  state: field('state', readTextOrNull),
  archived: field('archived', readYes),
}))
export type Removed = Read<typeof readToldRemoved>

/** An event that takes an item away; null where it tells one. */
export const readRemoved = (data: unknown): Removed | null =>
  readRecord(data)['removed'] === true ? readToldRemoved(data) : null

/** `reaction.counts`: kind -> how many since the last. */
export function readCounts(data: unknown): ReadonlyMap<string, number> {
  const counts = readRecord(readRecord(data)['counts'])
  return new Map(
    Object.entries(counts)
      .map(([kind, count]) => [kind, readCount(count)] as const)
      .filter(([, count]) => count > 0),
  )
}
