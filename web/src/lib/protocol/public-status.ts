import type { RoomStatus } from './room'

/** A room's status in one word for the audience; each has a text of the same key in `locales/day.ts`. */
export type PublicStatus =
  | 'live'
  /** On air, but the slate stands before it: a lost camera, a technician's pause. */
  | 'soon'
  | 'hold'
  | 'reserved'
  | 'notStreamed'
  | 'before'
  | 'between'
  | 'off'

/** The room's status by what the API tells. Hold and privacy outrank what is seen to play. */
export function publicStatusOf({ state, word, session }: Pick<RoomStatus, 'state' | 'word' | 'session'>): PublicStatus {
  switch (word) {
    case 'hold':
      return 'hold'
    case 'reserved':
      return 'reserved'
    case 'not_streamed':
      return 'notStreamed'
    case 'paused':
      return 'soon'
    case 'on_air':
    case 'overrun':
      return state === 'live' ? 'live' : state === 'slate' ? 'soon' : 'off'
    case 'before':
    case 'between':
      // The room is shown between sessions too, where it is set so.
      if (state === 'live') return 'live'
      return state === 'slate' ? word : word === 'before' ? 'before' : 'off'
    default:
      if (state === 'live') return 'live'
      // Nothing is planned: a slate there promises nothing.
      return state === 'slate' && (session || word === null) ? 'soon' : 'off'
  }
}

/** The look of a status's badge. */
export const TONES = {
  live: 'live',
  soon: 'pause',
  hold: 'pause',
  reserved: 'off',
  notStreamed: 'off',
  before: 'off',
  between: 'off',
  off: 'off',
} as const satisfies Record<PublicStatus, 'live' | 'pause' | 'off'>
