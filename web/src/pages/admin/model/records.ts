/** The audit log and the year's count. Pure. */
import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'

export interface AuditEntry {
  id: number
  at_ms: number
  who: string
  label: string
  action: string
  kind: string
  target: string
  room: string | null
  venue: string | null
  /** What was changed, as fields with their old and new values, or with what was said. */
  details: readonly { field: string; old: unknown; new: unknown; pair: boolean }[]
}

export function readAudit(body: unknown): AuditEntry | null {
  if (!isRecord(body)) return null
  const at_ms = readTime(body['at'])
  if (typeof body['id'] !== 'number' || at_ms === null) return null
  const details = isRecord(body['details']) ? body['details'] : {}
  return {
    id: body['id'],
    at_ms,
    who: readText(body['who']),
    label: readText(body['label']),
    action: readText(body['action']),
    kind: readText(body['kind']),
    target: readText(body['target']),
    room: readTextOrNull(body['room']),
    venue: readTextOrNull(body['venue']),
    details: Object.entries(details).map(([field, value]) =>
      Array.isArray(value) && value.length === 2
        ? { field, old: value[0] as unknown, new: value[1] as unknown, pair: true }
        : { field, old: null, new: value, pair: false },
    ),
  }
}

export interface YearRow {
  venue: string | null
  name: string
  count: number
  wanted: number
  kinds: readonly (readonly [string, number])[]
  events: number
  hours: number
}

export function readYear(body: unknown): YearRow | null {
  if (!isRecord(body)) return null
  const kinds = isRecord(body['kinds']) ? body['kinds'] : {}
  const number = (value: unknown) => (typeof value === 'number' ? value : 0)
  return {
    venue: readTextOrNull(body['venue']),
    name: readText(body['name']),
    count: number(body['count']),
    wanted: number(body['wanted']),
    kinds: Object.entries(kinds).map(([kind, many]) => [kind, number(many)] as const),
    events: number(body['events']),
    hours: number(body['hours']),
  }
}

/** How many a venue would have at the end of the year if it went on as so far; null too early in the year to say. */
export function outlook(row: Pick<YearRow, 'count'>, year: number, now_ms: number): number | null {
  const begin = Date.UTC(year, 0, 1)
  const share = (now_ms - begin) / (Date.UTC(year + 1, 0, 1) - begin)
  if (share >= 1) return row.count
  return share < 0.08 ? null : Math.round(row.count / share)
}
