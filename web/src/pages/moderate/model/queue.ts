/** The queue of a moderator: held chat, pending questions and reports, one entry for each item. Pure. */
import type { ChatMessage, Question } from '$features/talk/model/items'
import type { Report } from './wire'

export interface Entry {
  /** The item's id. */
  key: string
  kind: 'message' | 'question'
  /** Why it is here: nobody has seen it yet, or somebody who saw it complains. */
  waits: boolean
  participant: string | null
  name: string
  /** Null where the item is older than what is known here. */
  text: string | null
  /** Since when it waits: when it was written, or first reported. */
  at_ms: number
  /** Why it is held: `word`, `address`, `review`, `shield`, `newcomer`. */
  reason: string | null
  message: ChatMessage | null
  question: Question | null
  reports: readonly Report[]
}

export interface Waiting {
  messages: readonly ChatMessage[]
  questions: ReadonlyMap<string, Question>
  reports: ReadonlyMap<string, Report>
}

const inTime = (a: Entry, b: Entry): number => a.at_ms - b.at_ms || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/** The oldest first. Questions of a session that is over wait for nobody. */
export function queueOf({ messages, questions, reports }: Waiting): Entry[] {
  const entries = new Map<string, Entry>()
  for (const message of messages) {
    if (message.state === 'held') entries.set(message.id, ofMessage(message))
  }
  for (const question of questions.values()) {
    const open = question.state === 'pending' && question.archived !== true
    if (open && !question.mergedInto && question.withdrawn !== true) entries.set(question.id, ofQuestion(question))
  }
  if (reports.size > 0) {
    const known = new Map(messages.map((message) => [message.id, message]))
    for (const report of reports.values()) {
      if (report.resolved) continue
      const entry = entries.get(report.item) ?? reported(report, known.get(report.item), questions.get(report.item))
      entry.reports = [...entry.reports, report].sort((a, b) => a.at_ms - b.at_ms)
      if (!entry.waits) entry.at_ms = Math.min(...entry.reports.map(({ at_ms }) => at_ms))
      entries.set(entry.key, entry)
    }
  }
  return [...entries.values()].sort(inTime)
}

type Open = { -readonly [K in keyof Entry]: Entry[K] }

export function ofMessage(message: ChatMessage): Open {
  const { id, participant, name, text, at_ms, reason } = message
  return {
    key: id,
    kind: 'message',
    waits: message.state === 'held' || message.state === 'delayed',
    participant,
    name,
    text,
    at_ms,
    reason: reason ?? null,
    message,
    question: null,
    reports: [],
  }
}

export function ofQuestion(question: Question): Open {
  const { id, participant, name, text, at_ms, reason } = question
  return {
    key: id,
    kind: 'question',
    waits: question.state === 'pending',
    participant,
    name: name ?? '',
    text,
    at_ms,
    reason: reason ?? null,
    message: null,
    question,
    reports: [],
  }
}

function reported(report: Report, message: ChatMessage | undefined, question: Question | undefined): Open {
  const found = message ? ofMessage(message) : question ? ofQuestion(question) : null
  if (found) return { ...found, waits: false, at_ms: report.at_ms }
  return {
    key: report.item,
    kind: report.kind,
    waits: false,
    participant: null,
    name: '',
    text: null,
    at_ms: report.at_ms,
    reason: null,
    message: null,
    question: null,
    reports: [],
  }
}

/** Each one's entries together: who waits longest first, theirs in order. */
export function byParticipant(entries: readonly Entry[]): Entry[] {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) {
    const of = entry.participant ?? `item ${entry.key}`
    groups.set(of, [...(groups.get(of) ?? []), entry])
  }
  return [...groups.values()].flat()
}

/** Lower case, without accents, one form for letters that look the same. */
export function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
}

/** Whether each word that is looked for is somewhere in the texts. */
export function matches(search: string, ...texts: readonly (string | null | undefined)[]): boolean {
  const words = folded(search).split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const all = folded(texts.filter(Boolean).join(' \n '))
  return words.every((word) => all.includes(word))
}

export const CHAT_FILTERS = ['all', 'visible', 'held', 'removed'] as const
export type ChatFilter = (typeof CHAT_FILTERS)[number]

/** The messages of the live chat. Held ones stand in the queue, unless they are asked for. */
export function chatOf(messages: readonly ChatMessage[], filter: ChatFilter, search: string): ChatMessage[] {
  return messages.filter((one) => {
    const removed = one.state === 'deleted' || one.state === 'withdrawn'
    const fits =
      filter === 'all'
        ? one.state !== 'held'
        : filter === 'visible'
          ? one.state === 'visible' || one.state === 'delayed'
          : filter === 'held'
            ? one.state === 'held' || one.state === 'delayed'
            : removed
    return fits && matches(search, one.text, one.name)
  })
}
