/** The year's count. Pure. */
import { type Read, readNumber, readRecord, readText, readTextOrNull, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'

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

/** The number that a venue would have at the end of the year if it went on as so far; null too early in the year to say. */
export function outlook(row: Pick<YearRow, 'count'>, year: number, now_ms: number): number | null {
  const begin = Date.UTC(year, 0, 1)
  const share = (now_ms - begin) / (Date.UTC(year + 1, 0, 1) - begin)
  if (share >= 1) return row.count
  return share < 0.08 ? null : Math.round(row.count / share)
}
