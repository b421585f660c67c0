import type { Poll } from '$features/talk/model/items'

export interface Share {
  id: number
  text: string
  /** Of the people who voted, 0 to 1; null while results are kept back. */
  share: number | null
  /** Has the most votes, alone or beside others. */
  first: boolean
}

/** Several answers to one poll may each have everybody: parts are of the people, not of the votes. */
export function shares(poll: Poll): Share[] {
  const most = Math.max(1, ...poll.options.map(({ votes }) => votes ?? 0))
  return poll.options.map(({ id, text, votes }) => ({
    id,
    text,
    share: votes === null ? null : poll.voters > 0 ? Math.min(1, votes / poll.voters) : 0,
    first: votes === most,
  }))
}
