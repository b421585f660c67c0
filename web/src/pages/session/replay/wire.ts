import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'
import {
  type ChatMessage,
  type Poll,
  type Question,
  readItems,
  readMessage,
  readPoll,
  readQuestion,
} from '$features/talk/model/items'

export type Kind = 'chat' | 'questions' | 'polls' | 'captions' | 'chapters'

/** A question with its media times, where the replay shows them. */
export interface Asked {
  question: Question
  asked_ms: number | null
  staged_ms: number | null
  answered_ms: number | null
}

export interface Polled {
  poll: Poll
  opened_ms: number
  /** Null: it was open to the end. */
  closed_ms: number | null
}

export interface Spoken {
  id: string
  media_ms: number
  text: string
}

export interface ReplayChapter {
  id: string
  media_ms: number
  label: string
  /** The question that was answered there. */
  question: string | null
}

/** One answer of `/sessions/{id}/timeline`. All times are media times, UTC ms. */
export interface Page {
  start_ms: number
  /** Null while the replay grows. */
  end_ms: number | null
  chat: readonly ChatMessage[]
  questions: readonly Asked[]
  polls: readonly Polled[]
  captions: ReadonlyMap<string, readonly Spoken[]>
  chapters: readonly ReplayChapter[]
  more_ms: number | null
}

function readAsked(data: unknown): Asked | null {
  const question = readQuestion(data)
  if (!question || !isRecord(data)) return null
  const asked = {
    question,
    asked_ms: readTime(data['media_at']),
    staged_ms: readTime(data['staged_at']),
    answered_ms: readTime(data['answered_at']),
  }
  return (asked.asked_ms ?? asked.staged_ms ?? asked.answered_ms) ? asked : null
}

function readPolled(data: unknown): Polled | null {
  const poll = readPoll(data)
  if (!poll || !isRecord(data)) return null
  return { poll, opened_ms: poll.mediaAt_ms, closed_ms: readTime(data['closed_media_at']) }
}

function readSpoken(data: unknown): Spoken | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const media_ms = readTime(data['media_at'])
  const text = readTextOrNull(data['text'])
  return id === null || media_ms === null || text === null ? null : { id, media_ms, text }
}

function readChapter(data: unknown): ReplayChapter | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const media_ms = readTime(data['media_at'])
  if (id === null || media_ms === null) return null
  return { id, media_ms, label: readText(data['label']), question: readTextOrNull(data['question']) }
}

/** Null where it is none. */
export function readPage(body: unknown): Page | null {
  if (!isRecord(body)) return null
  const start_ms = readTime(body['start_ms'])
  if (start_ms === null) return null
  const captions = isRecord(body['captions']) ? body['captions'] : {}
  return {
    start_ms,
    end_ms: readTime(body['end_ms']),
    chat: readItems(body['chat'], readMessage),
    questions: readItems(body['questions'], readAsked),
    polls: readItems(body['polls'], readPolled),
    captions: new Map(Object.entries(captions).map(([tag, lines]) => [tag, readItems(lines, readSpoken)] as const)),
    chapters: readItems(body['chapters'], readChapter),
    more_ms: readTime(body['more']),
  }
}
