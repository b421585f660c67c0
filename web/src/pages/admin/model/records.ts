/** The audit log and the year's count. Pure. */
import { type Read, readNumber, readRecord, readText, readTextOrNull, readTime, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export type AuditEntry = Read<typeof readAudit>
export const readAudit = shape<Schema['AuditView']>()(({ field, needed }) => ({
  id: needed('id', (value) => (typeof value === 'number' ? value : null)),
  at_ms: needed('at', readTime),
  who: field('who', readText),
  label: field('label', readText),
  action: field('action', readText),
  kind: field('kind', readText),
  target: field('target', readText),
  /** Its title or label; '' where it is gone, or of another kind. */
  name: field('name', readText),
  room: field('room', readTextOrNull),
  venue: field('venue', readTextOrNull),
  /** The changed fields with their old and new values, or with what was said. */
  details: field('details', (value) =>
    Object.entries(readRecord(value)).map(([name, one]) =>
      Array.isArray(one) && one.length === 2
        ? { field: name, old: one[0] as unknown, new: one[1] as unknown, pair: true }
        : { field: name, old: null, new: one, pair: false },
    ),
  ),
}))

/** Those who did something, by the id that the log knows them by, in the order of their names. */
export function peopleOf(entries: readonly Pick<AuditEntry, 'who' | 'label'>[], more: string): [string, string][] {
  const named = new Map(entries.map(({ who, label }) => [who, label || who]))
  if (more !== '' && !named.has(more)) named.set(more, more)
  return [...named].sort(([, a], [, b]) => a.localeCompare(b))
}

export type YearRow = Read<typeof readYear>
export const readYear = shape<Schema['YearView']>()(({ field }) => ({
  venue: field('venue', readTextOrNull),
  name: field('name', readText),
  count: field('count', readNumber),
  wanted: field('wanted', readNumber),
  kinds: field('kinds', (value) =>
    Object.entries(readRecord(value)).map(([kind, many]) => [kind, readNumber(many)] as const),
  ),
  events: field('events', readNumber),
  hours: field('hours', readNumber),
}))

/** How many a venue would have at the end of the year if it went on as so far; null too early in the year to say. */
export function outlook(row: Pick<YearRow, 'count'>, year: number, now_ms: number): number | null {
  const begin = Date.UTC(year, 0, 1)
  const share = (now_ms - begin) / (Date.UTC(year + 1, 0, 1) - begin)
  if (share >= 1) return row.count
  return share < 0.08 ? null : Math.round(row.count / share)
}
