/** An import as it is shown before it is applied (`streamer/api/imports.py`). Pure. */
import {
  enumOr,
  isRecord,
  listOf,
  type Read,
  readNumber,
  readRecord,
  readText,
  readTextOrNull,
  readTexts,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export const GROUPS = ['cancelled', 'moved', 'changed', 'added'] as const
/** In the order of their gravity. */
export type Group = (typeof GROUPS)[number]

const readConsequence = shape<Schema['ConsequenceView']>()(({ field }) => ({
  code: field('code', readText),
  message: field('message', readText),
  /** No yes will do: somebody has to end the session first. */
  blocks: field('blocks', readYes),
}))

export interface FieldChange {
  field: string
  old: unknown
  new: unknown
}

const readToldItem = shape<Schema['ImportItem']>()(({ field, needed }) => ({
  key: needed('key', readTextOrNull),
  title: field('title', readText),
  /** Null: one that is not here; '': it takes place in none. */
  room: field('room', (value) => (typeof value === 'string' ? value : null)),
  roomName: field('room_name', readText),
  start_ms: field('start', readTime),
  session: field('session', readTextOrNull),
  needsYes: field('needs_yes', readYes),
  blocked: field('blocked', readYes),
  consequences: field('consequences', listOf(readConsequence)),
  changes: field('changes', (value) =>
    Object.entries(readRecord(value)).map(([name, pair]): FieldChange => {
      const [old, now] = Array.isArray(pair) ? (pair as unknown[]) : []
      return { field: name, old, new: now }
    }),
  ),
}))

export const readItem = (body: unknown, group: Group) => {
  const item = readToldItem(body)
  return item && { ...item, group }
}
export type ImportItem = NonNullable<ReturnType<typeof readItem>>
const itemsOf = (group: Group) => listOf((item) => readItem(item, group))

const readWarning = shape<Schema['WarningView']>()(({ field }) => ({
  code: field('code', readText),
  message: field('message', readText),
  item: field('item', readText),
}))

const readToldPreview = shape<Schema['ImportView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  event: field('event', readText),
  eventName: field('event_name', readTextOrNull),
  eventIsNew: field('event_is_new', readYes),
  venue: field('venue', readTextOrNull),
  sessions: field('sessions', readNumber),
  rooms: field('rooms', readNumber),
  newRooms: field('new_rooms', readTexts),
  roomsUnknown: field('rooms_unknown', readTexts),
  /** Of these, the names that several rooms here have -> the ids of those. */
  roomsAmbiguous: field('rooms_ambiguous', (value) =>
    Object.entries(readRecord(value)).map(([name, ids]) => ({ name, rooms: readTexts(ids) })),
  ),
  difference: needed('difference', (value) => (isRecord(value) ? value : null)),
  warnings: field('warnings', listOf(readWarning)),
}))

export function readPreview(body: unknown) {
  const told = readToldPreview(body)
  if (told === null) return null
  const { difference, ...preview } = told
  return {
    ...preview,
    eventName: told.eventName ?? told.event,
    items: GROUPS.flatMap((group) => itemsOf(group)(difference[group])),
    unchanged: readNumber(difference['unchanged']),
  }
}
export type ImportPreview = NonNullable<ReturnType<typeof readPreview>>

export type ImportDone = Read<typeof readDone>
export const readDone = shape<Schema['ImportDone']>()(({ field }) => ({
  event: field('event', readText),
  added: field('added', readNumber),
  changed: field('changed', readNumber),
  waiting: field('waiting', itemsOf('changed')),
}))

export const STOPS = ['nobody', 'ended', 'out_of_reach'] as const

const readToldFollowed = shape<Schema['ScheduleSourceView']>()(({ field, needed }) => ({
  event: needed('event', readTextOrNull),
  eventName: field('event_name', readTextOrNull),
  url: needed('url', readTextOrNull),
  every_s: field('every_s', readNumber),
  /** Null: not yet. */
  polled_ms: field('polled', readTime),
  /** In the server's words; '' where the last look went well. */
  error: field('error', readText),
  /** The label of the grant with whose rights it is read; '' where there is none. */
  followedBy: field('followed_by', readText),
  /** Why it is not read any more; null: it is. */
  stopped: field('stopped', enumOr(STOPS, null)),
  /** Changes that nobody has agreed to. */
  waiting: field('waiting', itemsOf('changed')),
}))

/** An event's schedule elsewhere, which the server reads by itself (`streamer/api/schedule_sources.py`). */
export function readFollowed(body: unknown) {
  const told = readToldFollowed(body)
  return told && { ...told, eventName: told.eventName ?? told.event }
}
export type Followed = NonNullable<ReturnType<typeof readFollowed>>

/** The choice at first: all items but those that are blocked or need a confirmation. */
export function chosenAtFirst(items: readonly ImportItem[]): Set<string> {
  return new Set(items.filter((item) => !item.needsYes && !item.blocked).map(({ key }) => key))
}

/** The numbers of those of a group that there are, are chosen, and want a yes. */
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

/**
 * The id of the room from which most sessions would move to the schedule's room `name`, which is not here: it may be the
 * same room under another name. '' where none would.
 */
export function likelySame(items: readonly ImportItem[], name: string): string {
  const counts = new Map<string, number>()
  for (const { changes, roomName } of items) {
    const old = roomName === name ? changes.find(({ field }) => field === 'room')?.old : undefined
    if (typeof old === 'string') counts.set(old, (counts.get(old) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? ''
}

/** The change that gives a room its schedule's new name. The old one still finds it; its id, links and codes stay. */
export function renaming(room: { name: string; aliases: readonly string[] }, name: string) {
  return { name, aliases: [...new Set([...room.aliases, room.name])].filter((alias) => alias !== name) }
}

export type Waits = 'no_room' | 'blocked' | 'needs_yes'

/** Why an item was left out of what was applied. */
export function whyWaiting({ room, blocked }: Pick<ImportItem, 'room' | 'blocked'>): Waits {
  if (room === null) return 'no_room'
  return blocked ? 'blocked' : 'needs_yes'
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
