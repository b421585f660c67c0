/** The viewers' picture once this page begins or stops to send. Pure. */

import type { RoomInfo } from './room'

export type Shown =
  /** This page's picture. */
  | { kind: 'this_page' }
  /** The slate, as before or from then on. */
  | { kind: 'slate' | 'still_slate' }
  /** Another source of the room, as before or from then on. */
  | { kind: 'other' | 'still_other'; source: string }

const SLATE = 'slate'
const SPARE = 'spare'

/** @param source that this page feeds */
export function afterEnd(room: RoomInfo | null, source: string): Shown {
  if (room === null) return { kind: 'slate' }
  if (room.state !== 'live') return { kind: 'still_slate' }
  const shown = room.onProgramme ?? source
  if (shown !== source && shown !== SLATE) return { kind: 'still_other', source: shown }
  // The room goes over to it by itself.
  if (source !== SPARE && room.sources[SPARE]?.up) return { kind: 'other', source: SPARE }
  return { kind: 'slate' }
}

/** @param source that this page takes over */
export function afterTakeover(room: RoomInfo | null, source: string): Shown {
  if (room === null) return { kind: 'this_page' }
  if (room.state !== 'live') return { kind: 'still_slate' }
  const shown = room.onProgramme ?? source
  const wanted = room.crew?.orders.source ?? 'main'
  return shown === source || wanted === source ? { kind: 'this_page' } : { kind: 'still_other', source: shown }
}

/** Now, for a page that does not send. */
export function shownNow(room: RoomInfo | null): Shown {
  if (room?.state !== 'live') return { kind: 'still_slate' }
  return { kind: 'still_other', source: room.onProgramme ?? 'main' }
}
