/** Alarms of one room or of many: their order, their count, and which of them are new. Pure. */

import type { Alarm } from '$lib/protocol/day'

export interface RoomAlarm extends Alarm {
  room: string
  roomName: string
}

const GRAVITY = { alarm: 0, warning: 1, notice: 2 } as const

/** Those that nobody has taken first, the gravest first, then the oldest. */
export function inOrder<T extends Alarm>(alarms: readonly T[]): T[] {
  return [...alarms].sort(
    (a, b) =>
      Number(a.acknowledged !== null) - Number(b.acknowledged !== null) ||
      GRAVITY[a.level] - GRAVITY[b.level] ||
      a.since_ms - b.since_ms ||
      a.id.localeCompare(b.id),
  )
}

/** Those that somebody still has to look at. */
export const open = <T extends Alarm>(alarms: readonly T[]): T[] =>
  alarms.filter((alarm) => alarm.acknowledged === null)

/** Tells which alarms rang up since the last look, so that a sound is made once for each. */
export class Ringing {
  private known: ReadonlySet<string> | null = null

  /** Ids of new ones that are worth a sound; none at the first look. */
  take(alarms: readonly Alarm[]): string[] {
    const now = new Set(alarms.map(({ id }) => id))
    const before = this.known
    this.known = now
    if (before === null) return []
    return open(alarms)
      .filter(({ id, level }) => level !== 'notice' && !before.has(id))
      .map(({ id }) => id)
  }
}
