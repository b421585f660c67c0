/** An import as it is shown before it is applied (`streamer/api/imports.py`). Pure. */
import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'

export const GROUPS = ['cancelled', 'moved', 'changed', 'added'] as const
/** In the order of their gravity. */
export type Group = (typeof GROUPS)[number]

export interface Consequence {
  code: string
  message: string
  /** No yes will do: somebody has to end the session first. */
  blocks: boolean
}

export interface FieldChange {
  field: string
  old: unknown
  new: unknown
}

export interface ImportItem {
  key: string
  group: Group
  title: string
  room: string | null
  roomName: string
  start_ms: number | null
  session: string | null
  needsYes: boolean
  blocked: boolean
  consequences: readonly Consequence[]
  changes: readonly FieldChange[]
}

export interface ImportPreview {
  id: string
  event: string
  eventName: string
  eventIsNew: boolean
  venue: string | null
  sessions: number
  rooms: number
  newRooms: readonly string[]
  roomsUnknown: readonly string[]
  items: readonly ImportItem[]
  unchanged: number
  warnings: readonly { code: string; message: string; item: string }[]
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const texts = (value: unknown): string[] => list(value).filter((item): item is string => typeof item === 'string')
const count = (value: unknown): number => (typeof value === 'number' ? value : 0)

export function readItem(body: unknown, group: Group): ImportItem | null {
  if (!isRecord(body)) return null
  const key = readTextOrNull(body['key'])
  if (key === null) return null
  const changes = isRecord(body['changes']) ? body['changes'] : {}
  return {
    key,
    group,
    title: readText(body['title']),
    room: readTextOrNull(body['room']),
    roomName: readText(body['room_name']),
    start_ms: readTime(body['start']),
    session: readTextOrNull(body['session']),
    needsYes: body['needs_yes'] === true,
    blocked: body['blocked'] === true,
    consequences: list(body['consequences'])
      .filter(isRecord)
      .map((one) => ({
        code: readText(one['code']),
        message: readText(one['message']),
        blocks: one['blocks'] === true,
      })),
    changes: Object.entries(changes).map(([field, pair]) => ({ field, old: list(pair)[0], new: list(pair)[1] })),
  }
}

export function readPreview(body: unknown): ImportPreview | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  const difference = body['difference']
  if (id === null || !isRecord(difference)) return null
  const items = GROUPS.flatMap((group) =>
    list(difference[group])
      .map((item) => readItem(item, group))
      .filter((item) => item !== null),
  )
  return {
    id,
    event: readText(body['event']),
    eventName: readTextOrNull(body['event_name']) ?? readText(body['event']),
    eventIsNew: body['event_is_new'] === true,
    venue: readTextOrNull(body['venue']),
    sessions: count(body['sessions']),
    rooms: count(body['rooms']),
    newRooms: texts(body['new_rooms']),
    roomsUnknown: texts(body['rooms_unknown']),
    items,
    unchanged: count(difference['unchanged']),
    warnings: list(body['warnings'])
      .filter(isRecord)
      .map((one) => ({ code: readText(one['code']), message: readText(one['message']), item: readText(one['item']) })),
  }
}

export interface ImportDone {
  event: string
  added: number
  changed: number
  waiting: readonly ImportItem[]
}

export function readDone(body: unknown): ImportDone | null {
  if (!isRecord(body)) return null
  return {
    event: readText(body['event']),
    added: count(body['added']),
    changed: count(body['changed']),
    waiting: list(body['waiting'])
      .map((item) => readItem(item, 'changed'))
      .filter((item) => item !== null),
  }
}

export const STOPS = ['nobody', 'ended', 'out_of_reach'] as const
export type Stopped = (typeof STOPS)[number]

/** An event's schedule elsewhere, which the server reads by itself (`streamer/api/polling.py`). */
export interface Followed {
  event: string
  eventName: string
  url: string
  every_s: number
  /** Null: not yet. */
  polled_ms: number | null
  /** In the server's words; '' where the last look went well. */
  error: string
  /** The label of the grant with whose rights it is read; '' where there is none. */
  followedBy: string
  /** Why it is not read any more; null: it is. */
  stopped: Stopped | null
  /** What nobody has agreed to. */
  waiting: readonly ImportItem[]
}

export function readFollowed(body: unknown): Followed | null {
  if (!isRecord(body)) return null
  const event = readTextOrNull(body['event'])
  const url = readTextOrNull(body['url'])
  if (event === null || url === null) return null
  return {
    event,
    eventName: readTextOrNull(body['event_name']) ?? event,
    url,
    every_s: count(body['every_s']),
    polled_ms: readTime(body['polled']),
    error: readText(body['error']),
    followedBy: readText(body['followed_by']),
    stopped: STOPS.find((reason) => reason === body['stopped']) ?? null,
    waiting: list(body['waiting'])
      .map((item) => readItem(item, 'changed'))
      .filter((item) => item !== null),
  }
}

/** What is chosen before somebody has chosen: all that hurts nobody. What wants a yes waits for one. */
export function chosenAtFirst(items: readonly ImportItem[]): Set<string> {
  return new Set(items.filter((item) => !item.needsYes && !item.blocked).map(({ key }) => key))
}

/** How many of a group there are, are chosen, and want a yes. */
export function tally(items: readonly ImportItem[], chosen: ReadonlySet<string>) {
  return GROUPS.map((group) => {
    const mine = items.filter((item) => item.group === group)
    return {
      group,
      items: mine,
      chosen: mine.filter(({ key }) => chosen.has(key)).length,
      open: mine.filter((item) => !item.blocked).length,
    }
  })
}

/** `accept` of the request: the keys that are chosen, which leaves out the others. */
export function accepted(items: readonly ImportItem[], chosen: ReadonlySet<string>): string[] {
  return items.filter((item) => chosen.has(item.key) && !item.blocked).map(({ key }) => key)
}

/** A value of a change in words; times are for the caller. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–'
  if (Array.isArray(value)) return value.length > 0 ? value.map(valueText).join(', ') : '–'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
