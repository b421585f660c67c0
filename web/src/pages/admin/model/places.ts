/** Venues, rooms and events as their organisers see them, and the bodies that change them. Pure. */
import {
  enumOr,
  openEnumOr,
  readNumberOrNull,
  readText,
  readTextOrNull,
  readTexts,
  readYes,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { named, readAlarms, readEvent, readHold, readSession, readWord, type Venue } from '$lib/protocol/day'
import { lookForm } from './looks'
import { fromLocal, rfc3339, toLocal } from './when'

export const START_RULES = ['tap', 'auto'] as const satisfies readonly Schema['StartRule'][]
export const BETWEEN = ['slate', 'picture_muted', 'open'] as const satisfies readonly Schema['Between'][]

const readToldRoom = shape<Schema['RoomCrewView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  name: field('name', readTextOrNull),
  venue: field('venue', readTextOrNull),
  start: field('start', openEnumOr<Schema['StartRule']>('tap')),
  between: field('between', openEnumOr<Schema['Between']>('slate')),
  state: field('state', enumOr(['off', 'slate', 'live'], 'off')),
  word: field('word', readWord),
  hold: field('hold', readHold),
  session: field('session', readSession),
  next: field('next', readSession),
  alarms: field('alarms', readAlarms),
  aliases: field('aliases', readTexts),
  guid: field('guid', readText),
  retentionDays: field('retention_days', readNumberOrNull),
  /** BCP 47 tags. */
  captionLanguages: field('caption_languages', readTexts),
  levelling: field('levelling', readYes),
}))
export const readRoom = (body: unknown) => named(readToldRoom(body))
export type AdminRoom = NonNullable<ReturnType<typeof readRoom>>

const readSource = shape<Schema['EventCrewView']>()(({ field }) => ({
  /** Its schedule's address, which is asked again from time to time; '' for none. */
  sourceUrl: field('source_url', readText),
}))
export function readAdminEvent(body: unknown) {
  const event = readEvent(body)
  const source = readSource(body)
  return event && source && { ...event, ...source }
}
export type AdminEvent = NonNullable<ReturnType<typeof readAdminEvent>>

/** An id that people recognise in a name, as a proposal; '' where nothing is left of it. */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[œŒ]/g, 'oe')
    .replace(/[æÆ]/g, 'ae')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48)
    .replace(/-+$/, '')
}

/** One thing a line, without empty ones. */
export const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

export const asLines = (items: readonly string[]): string => items.join('\n')

// --- forms ------------------------------------------------------------------------------------------

export function venueForm(venue: Venue | null) {
  return {
    id: venue?.id ?? '',
    name: venue?.name ?? '',
    timezone: venue?.timezone ?? 'Europe/Paris',
    language: venue?.language ?? 'fr',
    logos: asLines(venue?.logos ?? []),
    ...lookForm(venue),
  }
}
export type VenueForm = ReturnType<typeof venueForm>

export function venueBody(values: Partial<VenueForm>): Record<string, unknown> {
  const { id, logos, ...rest } = values
  return { ...rest, ...(id && { id }), ...(logos !== undefined && { logos: linesOf(logos) }) }
}

export function roomForm(room: AdminRoom | null, venue: string | null = null) {
  return {
    id: room?.id ?? '',
    name: room?.name ?? '',
    venue: room ? (room.venue ?? '') : (venue ?? ''),
    start: room?.start ?? 'tap',
    between: room?.between ?? 'slate',
    aliases: asLines(room?.aliases ?? []),
    guid: room?.guid ?? '',
    retention_days: room?.retentionDays == null ? '' : String(room.retentionDays),
    caption_languages: asLines(room?.captionLanguages ?? []),
    levelling: room?.levelling ? 'on' : 'off',
  }
}
export type RoomForm = ReturnType<typeof roomForm>

export function roomBody(values: Partial<RoomForm>): Record<string, unknown> {
  const { aliases, caption_languages, levelling, retention_days, venue, ...rest } = values
  return {
    ...rest,
    ...(venue !== undefined && { venue: venue || null }),
    ...(aliases !== undefined && { aliases: linesOf(aliases) }),
    ...(caption_languages !== undefined && { caption_languages: linesOf(caption_languages) }),
    ...(levelling !== undefined && { levelling: levelling === 'on' }),
    ...(retention_days !== undefined && { retention_days: wholeOrNull(retention_days) }),
  }
}

export function eventForm(event: AdminEvent | null, zone: string, venue: string | null = null) {
  return {
    id: event?.id ?? '',
    name: event?.name ?? '',
    venue: event ? (event.venue ?? '') : (venue ?? ''),
    start: toLocal(event?.start_ms ?? null, zone),
    end: toLocal(event?.end_ms ?? null, zone),
    language: event?.language ?? '',
    url: event?.url ?? '',
    acronym: event?.acronym ?? '',
    source_url: event?.sourceUrl ?? '',
    logos: asLines(event?.logos ?? []),
    ...lookForm(event),
  }
}
export type EventForm = ReturnType<typeof eventForm>

export function eventBody(values: Partial<EventForm>, zone: string): Record<string, unknown> {
  const { id, venue, start, end, logos, ...rest } = values
  return {
    ...rest,
    ...(id && { id }),
    ...(venue !== undefined && { venue: venue || null }),
    ...(start !== undefined && { start: rfc3339(fromLocal(start, zone)) }),
    ...(end !== undefined && { end: rfc3339(fromLocal(end, zone)) }),
    ...(logos !== undefined && { logos: linesOf(logos) }),
  }
}

/** A number as somebody typed it. What is none is sent as it is: the server says what is wrong with it. */
export function wholeOrNull(text: string): number | string | null {
  const trimmed = text.trim()
  if (trimmed === '') return null
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : trimmed
}
