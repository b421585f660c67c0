/**
 * In which order an audience's items stand: the same for viewers, moderators, the stage and the hall. And changed values of
 * maps and lists, which are never changed in place.
 */
import type { NoticeItem, Order, Poll, Question } from './items'
import { readNotice, readPoll, readRemoved } from './items'

export const IN_ORDER: Order = { by: 'fair', ids: [] }

/** The server's order of messages and of questions by age: a moderator may let one through later than what was said after it. */
export const inTime = (a: { at_ms: number; id: string }, b: { at_ms: number; id: string }): number =>
  a.at_ms - b.at_ms || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** Those that wait, as the server tells it. One that the order does not name yet comes last: its place is told in a moment. */
export function inTurn(questions: readonly Question[], order: Order): Question[] {
  const place = new Map(order.ids.map((id, index) => [id, index]))
  const placeOf = ({ id }: Question) => place.get(id) ?? place.size
  return [...questions].sort((a, b) => placeOf(a) - placeOf(b) || inTime(a, b))
}

/** The one that came on stage last first: it is what the screens show. */
export const lastStagedFirst = (a: Question, b: Question): number =>
  (b.stagedAt_ms ?? 0) - (a.stagedAt_ms ?? 0) || inTime(a, b)

export const lastAnsweredFirst = (a: Question, b: Question): number =>
  (b.answeredAt_ms ?? 0) - (a.answeredAt_ms ?? 0) || inTime(a, b)

/** The polls after a `poll.changed`: a known one keeps its place. */
export function afterPoll(polls: readonly Poll[], data: unknown): readonly Poll[] {
  const poll = readPoll(data)
  const id = poll?.id ?? readRemoved(data)?.id
  if (!poll) return polls.filter((other) => other.id !== id)
  return polls.some((other) => other.id === id)
    ? polls.map((other) => (other.id === id ? poll : other))
    : [...polls, poll]
}

/** The notice after a `notice`: one that is taken away may have been followed by another already. */
export function afterNotice(notice: NoticeItem | null, data: unknown): NoticeItem | null {
  const gone = readRemoved(data)
  if (!gone) return readNotice(data) ?? notice
  return gone.id === notice?.id ? null : notice
}

export function byId<T extends { id: string }>(items: readonly T[]): Map<string, T> {
  return new Map(items.map((item) => [item.id, item]))
}

/** @param item in place of what was known by this id; null: none any more */
export function withItem<T>(items: ReadonlyMap<string, T>, id: string, item: T | null): ReadonlyMap<string, T> {
  if (item === null && !items.has(id)) return items
  const others = new Map(items)
  if (item === null) others.delete(id)
  else others.set(id, item)
  return others
}
