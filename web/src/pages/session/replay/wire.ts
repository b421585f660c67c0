import {
  listOf,
  type Read,
  readNumberOrNull,
  readRecord,
  readText,
  readTextOrNull,
  readTime,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { type Poll, readMessage, readPoll, readQuestion } from '$features/talk/model/items'

export type Kind = 'chat' | 'questions' | 'polls' | 'captions' | 'chapters'

/** A question with its media times, where the replay shows them. */
export type Asked = NonNullable<ReturnType<typeof readAsked>>
function readAsked(data: unknown) {
  const question = readQuestion(data)
  if (!question) return null
  const { stagedAt_ms: staged_ms, answeredAt_ms: answered_ms } = question
  const asked_ms = readTime(readRecord(data)['media_at'])
  return (asked_ms ?? staged_ms ?? answered_ms) ? { question, asked_ms, staged_ms, answered_ms } : null
}

export interface Polled {
  poll: Poll
  opened_ms: number
  /** Null: it was open to the end. */
  closed_ms: number | null
}

function readPolled(data: unknown): Polled | null {
  const poll = readPoll(data)
  return poll && { poll, opened_ms: poll.mediaAt_ms, closed_ms: readTime(readRecord(data)['closed_media_at']) }
}

export type Spoken = Read<typeof readSpoken>
const readSpoken = shape<Schema['CaptionItem']>()(({ needed }) => ({
  id: needed('id', readTextOrNull),
  media_ms: needed('media_at', readTime),
  text: needed('text', readTextOrNull),
}))

export type ReplayChapter = Read<typeof readChapter>
const readChapter = shape<Schema['ChapterItem']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  media_ms: needed('media_at', readTime),
  label: field('label', readText),
  /** The question that was answered there. */
  question: field('question', readTextOrNull),
}))

/** One answer of `/sessions/{id}/timeline`. All times are media times, UTC ms. */
export type Page = Read<typeof readPage>
export const readPage = shape<Schema['Timeline']>()(({ field, needed }) => ({
  start_ms: needed('start_ms', readNumberOrNull),
  /** Null while the replay grows. */
  end_ms: field('end_ms', readNumberOrNull),
  chat: field('chat', listOf(readMessage)),
  questions: field('questions', listOf(readAsked)),
  polls: field('polls', listOf(readPolled)),
  captions: field(
    'captions',
    (value): ReadonlyMap<string, readonly Spoken[]> =>
      new Map(Object.entries(readRecord(value)).map(([tag, lines]) => [tag, listOf(readSpoken)(lines)])),
  ),
  chapters: field('chapters', listOf(readChapter)),
  more_ms: field('more', readTime),
}))
