/** What a room tells its crew (`RoomCrewView` of `streamer/api/room_models.py`). Pure. */

import {
  isRecord,
  readAlarms,
  readHold,
  readSession,
  readTextOrNull,
  readTime,
  readWord,
  type Alarm,
  type Hold,
  type Session,
  type Word,
} from '$lib/protocol/day'

export type Shows = 'programme' | 'slate' | 'picture_muted'
const SHOWS: readonly Shows[] = ['programme', 'slate', 'picture_muted']

/** What the director wants of the room. */
export interface Orders {
  public: Shows
  record: boolean
  /** The source to take; null: `main`, with `spare` behind it. */
  source: string | null
  gainDb: number
}

export interface CrewRoom {
  /** The public output's state: the truth about what viewers see. */
  state: 'off' | 'slate' | 'live'
  word: Word | null
  /** The venue's id. */
  venue: string | null
  /** Whether sessions begin by themselves. */
  auto: boolean
  /** On air or overrun, closed ones included. */
  session: Session | null
  next: Session | null
  hold: Hold | null
  reservedUntil_ms: number | null
  orders: Orders
  /** Output -> what it shows now; `public` and `~key`. */
  shows: Readonly<Record<string, Shows>>
  /** Put up by hand. */
  slate: boolean
  mediaUp: boolean
  mediaStopped_ms: number | null
  /** When somebody began to speak after the last long silence. */
  firstWords_ms: number | null
  alarms: readonly Alarm[]
}

const readShows = (value: unknown, otherwise: Shows): Shows => SHOWS.find((one) => one === value) ?? otherwise

/** Null where the answer was for the public: without `orders` there is no crew's view. */
export function readCrewRoom(body: unknown): CrewRoom | null {
  if (!isRecord(body) || !isRecord(body['orders'])) return null
  const { state, orders } = body
  if (state !== 'off' && state !== 'slate' && state !== 'live') return null
  const shows = isRecord(body['shows']) ? body['shows'] : {}
  const ordered = orders as Record<string, unknown>
  return {
    state,
    word: readWord(body['word']),
    venue: readTextOrNull(body['venue']),
    auto: body['start'] === 'auto',
    session: readSession(body['session']),
    next: readSession(body['next']),
    hold: readHold(body['hold']),
    reservedUntil_ms: readTime(body['reserved_until']),
    orders: {
      public: readShows(ordered['public'], 'programme'),
      record: ordered['record'] !== false,
      source: readTextOrNull(ordered['source']),
      gainDb: typeof ordered['gain_db'] === 'number' ? ordered['gain_db'] : 0,
    },
    shows: Object.fromEntries(Object.entries(shows).map(([name, one]) => [name, readShows(one, 'slate')])),
    slate: body['slate'] === true,
    mediaUp: body['media_up'] === true,
    mediaStopped_ms: readTime(body['media_stopped']),
    firstWords_ms: readTime(body['first_words']),
    alarms: readAlarms(body['alarms']),
  }
}
