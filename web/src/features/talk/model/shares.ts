import type { Poll } from './items'

export interface Share {
  id: number
  text: string
  votes: number | null
  /** Of the people who voted, in whole percent; null while results are kept back. */
  percent: number | null
  /** Has the most votes, alone or beside others. */
  first: boolean
}

/**
 * The part of each option of a poll. Where everybody has one vote, the parts add up to 100 (largest remainder). Several answers to
 * one poll may each have everybody: there, parts are of the people, not of the votes.
 */
export function shares({ kind, options, voters }: Pick<Poll, 'kind' | 'options' | 'voters'>): Share[] {
  const most = Math.max(1, ...options.map(({ votes }) => votes ?? 0))
  const counts = options.map(({ votes }) => votes ?? 0)
  const parts = kind === 'multiple' ? counts.map((count) => partOf(count, voters)) : whole(counts)
  return options.map(({ id, text, votes }, index) => ({
    id,
    text,
    votes,
    percent: votes === null ? null : (parts[index] ?? 0),
    first: votes === most,
  }))
}

/** The mean of a rating, whose first option counts 1; null without votes, or while they are kept back. */
export function meanOf({ kind, options }: Pick<Poll, 'kind' | 'options'>): number | null {
  const votes = options.reduce((sum, option) => sum + (option.votes ?? 0), 0)
  if (kind !== 'rating' || votes === 0) return null
  return options.reduce((sum, option, index) => sum + (index + 1) * (option.votes ?? 0), 0) / votes
}

const partOf = (count: number, of: number): number => (of > 0 ? Math.min(100, Math.round((count / of) * 100)) : 0)

/** Hare's quota: each has the whole percents of its part, those with the largest remainders one more. */
function whole(counts: readonly number[]): number[] {
  const sum = counts.reduce((total, count) => total + count, 0)
  if (sum === 0) return counts.map(() => 0)
  const parts = counts.map((count) => Math.floor((count * 100) / sum))
  const left = 100 - parts.reduce((total, part) => total + part, 0)
  const remainder = (index: number) => ((counts[index] ?? 0) * 100) % sum
  const byRemainder = counts.map((_, index) => index).sort((a, b) => remainder(b) - remainder(a) || a - b)
  for (const index of byRemainder.slice(0, left)) parts[index] = (parts[index] ?? 0) + 1
  return parts
}
