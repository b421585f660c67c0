/** Venues, rooms and events as their organisers see them, and the bodies that change them. Pure. */
import {
  type Alarm,
  type EventInfo,
  type Hold,
  isRecord,
  readAlarms,
  readEvent,
  readHold,
  readSession,
  readText,
  readTextOrNull,
  readWord,
  type Session,
  type Venue,
  type Word,
} from '$lib/protocol/day'
import { fromLocal, rfc3339, toLocal } from './when'

export interface AdminRoom {
  id: string
  name: string
  venue: string | null
  start: 'tap' | 'auto'
  between: 'slate' | 'picture_muted' | 'open'
  state: 'off' | 'slate' | 'live'
  word: Word | null
  hold: Hold | null
  session: Session | null
  next: Session | null
  alarms: readonly Alarm[]
  aliases: readonly string[]
  guid: string
  retentionDays: number | null
  /** BCP 47 tags. */
  captionLanguages: readonly string[]
}

export interface AdminEvent extends EventInfo {
  /** Its schedule's, which is asked again from time to time; '' for none. */
  sourceUrl: string
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []

export function readRoom(body: unknown): AdminRoom | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  if (id === null) return null
  const between = readText(body['between'])
  const state = readText(body['state'])
  return {
    id,
    name: readTextOrNull(body['name']) ?? id,
    venue: readTextOrNull(body['venue']),
    start: body['start'] === 'auto' ? 'auto' : 'tap',
    between: between === 'picture_muted' || between === 'open' ? between : 'slate',
    state: state === 'live' || state === 'slate' ? state : 'off',
    word: readWord(body['word']),
    hold: readHold(body['hold']),
    session: readSession(body['session']),
    next: readSession(body['next']),
    alarms: readAlarms(body['alarms']),
    aliases: texts(body['aliases']),
    guid: readText(body['guid']),
    retentionDays: typeof body['retention_days'] === 'number' ? body['retention_days'] : null,
    captionLanguages: texts(body['caption_languages']),
  }
}

export function readAdminEvent(body: unknown): AdminEvent | null {
  const event = readEvent(body)
  return event && isRecord(body) ? { ...event, sourceUrl: readText(body['source_url']) } : null
}

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
  }
}
export type RoomForm = ReturnType<typeof roomForm>

export function roomBody(values: Partial<RoomForm>): Record<string, unknown> {
  const { aliases, caption_languages, retention_days, venue, ...rest } = values
  return {
    ...rest,
    ...(venue !== undefined && { venue: venue || null }),
    ...(aliases !== undefined && { aliases: linesOf(aliases) }),
    ...(caption_languages !== undefined && { caption_languages: linesOf(caption_languages) }),
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
