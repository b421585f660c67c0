/** A room as its crew is told (`RoomCrewView` of `streamer/api/room_models.py`). Pure. */

import { enumOr, enumOrNull, readRecord, readTextOrNull, readTime, readYes, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { readAlarms, readHold, readNormals, readSession, readWord } from '$lib/protocol/day'

const SHOWS = ['programme', 'slate', 'picture_muted'] as const
export type Shows = (typeof SHOWS)[number]

const readOrders = shape<Schema['RoomCrewView']['orders']>()(({ field }) => ({
  public: field('public', enumOr(SHOWS, 'programme')),
  record: field('record', (value) => value !== false),
  /** The source to take; null: `main`, with `spare` behind it. */
  source: field('source', readTextOrNull),
}))

const readTold = shape<Schema['RoomCrewView']>()(({ field, needed }) => ({
  /** The public output's state: the truth about what viewers see. */
  state: needed('state', enumOrNull(['off', 'slate', 'live'], 'off')),
  word: field('word', readWord),
  /** The venue's id. */
  venue: field('venue', readTextOrNull),
  /** Whether sessions begin by themselves. */
  auto: field('start', (value) => value === 'auto'),
  /** Shown to the public between two sessions. */
  between: field('between', enumOr(['slate', 'picture_muted', 'open'], 'slate')),
  /** On air or overrun, closed ones included. */
  session: field('session', readSession),
  next: field('next', readSession),
  hold: field('hold', readHold),
  reservedUntil_ms: field('reserved_until', readTime),
  /** Without them it was the public's view. */
  orders: needed('orders', readOrders),
  /** Output -> what it shows now; `public` and `~key`. */
  shows: field('shows', (value): Readonly<Record<string, Shows>> =>
    Object.fromEntries(Object.entries(readRecord(value)).map(([name, one]) => [name, enumOr(SHOWS, 'slate')(one)])),
  ),
  /** Put up by hand. */
  slate: field('slate', readYes),
  mediaUp: field('media_up', readYes),
  mediaStopped_ms: field('media_stopped', readTime),
  /** When somebody began to speak after the last long silence. */
  firstWords_ms: field('first_words', readTime),
  alarms: field('alarms', readAlarms),
  normals: field('normals', readNormals),
}))
export type CrewRoom = NonNullable<ReturnType<typeof readTold>>

/** Null where the answer was for the public. */
export const readCrewRoom = readTold
