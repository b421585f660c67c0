/** Alarms of one room or of many: their words, their order, their count, and which of them are new. Pure. */

import type { Alarm, AlarmWords, NormalAlarm } from '$lib/protocol/day'

export interface RoomAlarm extends Alarm {
  room: string
  roomName: string
}

export interface RoomNormal extends NormalAlarm {
  room: string
}

const GRAVITY = { alarm: 0, warning: 1, notice: 2 } as const
export const SNOOZE_MINUTES = 10

/** Whether it may sound and be counted outside of the list: a warning never leaves the page. */
export const rings = ({ severity, level }: Pick<Alarm, 'severity' | 'level'>): boolean =>
  severity === null ? level === 'alarm' : severity === 'ringing'

/** The server's words, in the page's language where it has them; the code of an older server. */
export const alarmWords = ({ words, code }: Pick<Alarm, 'words' | 'code'>, language: string): AlarmWords =>
  words[language] ?? words['en'] ?? { cause: code, remedy: '' }

/** Those that nobody has taken first, the gravest first, then the oldest. */
export function inOrder<T extends Alarm>(alarms: readonly T[]): T[] {
  return [...alarms].sort(
    (a, b) =>
      Number(a.acknowledged !== null) - Number(b.acknowledged !== null) ||
      Number(rings(b)) - Number(rings(a)) ||
      GRAVITY[a.level] - GRAVITY[b.level] ||
      a.since_ms - b.since_ms ||
      a.id.localeCompare(b.id),
  )
}

/** Those that ring, and that somebody still has to look at. */
export const open = <T extends Alarm>(alarms: readonly T[]): T[] =>
  alarms.filter((alarm) => alarm.acknowledged === null && rings(alarm))

/** Tells which alarms rang up since the last look, so that a sound is made once for each. */
export class Ringing {
  private known: ReadonlySet<string> | null = null

  /** Ids of new ones that are worth a sound; none at the first look. */
  take(alarms: readonly Alarm[]): string[] {
    const ringing = alarms.filter(rings)
    const before = this.known
    this.known = new Set(ringing.map(({ id }) => id))
    if (before === null) return []
    return open(ringing)
      .filter(({ id }) => !before.has(id))
      .map(({ id }) => id)
  }
}
