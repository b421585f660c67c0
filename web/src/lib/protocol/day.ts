/**
 * The day's things as the API tells them (`streamer/api/session_models.py`, `room_models.py`, `models.py`): sessions, holds,
 * alarms, venues, events. Readers take whatever came and answer null where it is none; times become UTC ms.
 */

import {
  enumOr,
  listOf,
  openEnum,
  openEnumOr,
  type Read,
  readAnyText,
  type Reader,
  readNumber,
  readNumberOrNull,
  readRecord,
  readText,
  readTextOrNull,
  readTime,
  readYes,
  readYesOrNull,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export const SESSION_STATES = [
  'scheduled',
  'armed',
  'on_air',
  'overrun',
  'ended',
  'cancelled',
] as const satisfies readonly SessionState[]
export type SessionState = Schema['SessionState']
export const KINDS = [
  'conference',
  'workshop',
  'seminar',
  'training',
  'meeting',
  'social',
  'break',
] as const satisfies readonly Schema['Kind'][]
export const VISIBILITIES = ['public', 'unlisted', 'private'] as const satisfies readonly Schema['Visibility'][]
export const FLAGS = ['no', 'yes', 'ask'] as const satisfies readonly Schema['Flag'][]
export const CHAT_MODES = [
  'open',
  'slow',
  'review',
  'read_only',
  'questions_only',
  'closed',
] as const satisfies readonly Schema['ChatMode'][]
export const QUESTION_MODES = ['open', 'review', 'closed'] as const satisfies readonly Schema['QuestionMode'][]
export const REPLAY_POLICIES = ['at_once', 'after_review', 'never'] as const satisfies readonly Schema['ReplayPolicy'][]
/** Why a room shows what it shows (`streamer/conference/airing.py`). */
export const WORDS = [
  'hold',
  'reserved',
  'not_streamed',
  'paused',
  'on_air',
  'overrun',
  'between',
  'before',
  'free',
] as const
export type Word = (typeof WORDS)[number]

const readNames = listOf(readTextOrNull)
export const readWord = enumOr(WORDS, null)

export interface Hold {
  message: string
  since_ms: number
  /** Only told; nothing resumes by itself. */
  until_ms: number | null
}

const readCrew = shape<Schema['SessionCrewView']>()(({ field, needed }) => ({
  /** Of its own output, '' for a public session. */
  key: needed('key', readAnyText),
  /** The playlist of what its audience sees, as a path. */
  liveUrl: needed('live_url', readAnyText),
  /** The answer to `ask`; null: nothing yet. */
  recordAnswer: field('record_answer', readYesOrNull),
  streamAnswer: field('stream_answer', readYesOrNull),
  portraitSources: field('portrait_sources', readRecord),
  guid: field('guid', readText),
  externalId: field('external_id', readText),
  /** The modes of its audience from its beginning on; null: they stay as they are. */
  chat: field('chat', readTextOrNull),
  questions: field('questions', readTextOrNull),
}))

const readTold = shape<Schema['SessionCrewView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  /** The one that carries it; '' where it takes place at the venue without a room, and is never on air. */
  room: field('room', readText),
  /** Its other rooms. */
  alsoIn: field('also_in', readNames),
  venue: field('venue', readTextOrNull),
  event: field('event', readTextOrNull),
  title: needed('title', readTextOrNull),
  subtitle: field('subtitle', readText),
  abstract: field('abstract', readText),
  speakers: field('speakers', readNames),
  /** Paths of their pictures, by name. */
  portraits: field('portraits', readRecord),
  language: field('language', readText),
  tags: field('tags', readNames),
  track: field('track', readText),
  url: field('url', readText),
  kind: field('kind', openEnumOr<Schema['Kind']>('conference')),
  capacity: field('capacity', readNumberOrNull),
  // A word that is not understood is taken as the stricter.
  visibility: field('visibility', enumOr(VISIBILITIES, 'private')),
  doNotRecord: field('do_not_record', openEnumOr<Schema['Flag']>('no')),
  doNotStream: field('do_not_stream', openEnumOr<Schema['Flag']>('no')),
  replay: field('replay', openEnumOr<Schema['ReplayPolicy']>('at_once')),
  state: needed('state', openEnum<SessionState>()),
  /** As planned now, delays included. */
  start_ms: needed('start', readTime),
  end_ms: needed('end', readTime),
  shownStart: field('shown_start', readTime),
  shownEnd: field('shown_end', readTime),
  expectedEnd: field('expected_end', readTime),
  /** The delay that people gave it, in minutes. */
  delayMinutes: field('delay_minutes', readNumber),
  startedAt: field('started_at_ms', readTime),
  started: field('started', readTime),
  endedAt: field('ended_at_ms', readTime),
  ended: field('ended', readTime),
  adHoc: field('ad_hoc', readYes),
  watchUrl: field('watch_url', readText),
  /** Null where there is no replay that answers. */
  replayUrl: field('replay_url', readTextOrNull),
}))

/** A session object; null without an id, a title, a state and its times. */
export function readSession(body: unknown) {
  const told = readTold(body)
  if (told === null) return null
  const { shownStart, shownEnd, expectedEnd, startedAt, started, endedAt, ended, ...session } = told
  return {
    ...session,
    /** As the audience is told: moved while something before it overruns. */
    shownStart_ms: shownStart ?? told.start_ms,
    shownEnd_ms: shownEnd ?? told.end_ms,
    /** When it should end: as planned, or what it was extended to. An overrun does not move it. */
    expectedEnd_ms: expectedEnd ?? told.end_ms,
    /** Its marks, media times. */
    started_ms: startedAt ?? started,
    ended_ms: endedAt ?? ended,
    /** Only for its crew and the holders of its grants (or of an unlisted session's link). */
    crew: readCrew(body),
  }
}
export type Session = NonNullable<ReturnType<typeof readSession>>

export const readHold: Reader<Hold> = shape<Schema['HoldView']>()(({ field, needed }) => ({
  message: field('message', readText),
  since_ms: needed('since', readTime),
  until_ms: field('until', readTime),
}))

export interface AlarmWords {
  cause: string
  remedy: string
}
const readAlarmWords = shape<Schema['AlarmWords']>()(({ field, needed }) => ({
  cause: needed('cause', readTextOrNull),
  remedy: field('remedy', readText),
}))
/** Language -> words. */
const readAllWords = (value: unknown): Readonly<Record<string, AlarmWords>> => {
  const read = Object.entries(readRecord(value)).map(([language, told]) => [language, readAlarmWords(told)] as const)
  return Object.fromEntries(read.filter((one): one is readonly [string, AlarmWords] => one[1] !== null))
}

export type Alarm = Read<typeof readAlarm>
export const readAlarm = shape<Schema['RoomAlarmView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  code: needed('code', readTextOrNull),
  level: field('level', enumOr(['alarm', 'warning', 'notice'], 'warning')),
  since_ms: needed('since', readTime),
  /** The role that it concerns: `technician`, `organiser`, `operator`. */
  owner: field('owner', readText),
  session: field('session', readTextOrNull),
  details: field('details', readRecord),
  /** The person who has taken it on. */
  acknowledged: field('acknowledged', readTextOrNull),
  /** Only what is ringing sounds. Null of an older server: its level says it. */
  severity: field('severity', enumOr(['ringing', 'warning'], null)),
  snoozedUntil_ms: field('snoozed_until', readTime),
  words: field('words', readAllWords),
}))
export const readAlarms = listOf(readAlarm)

/** An alarm that is normal in the present session. */
export type NormalAlarm = Read<typeof readNormal>
const readNormal = shape<Schema['NormalView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  code: needed('kind', readTextOrNull),
  words: field('words', readAllWords),
}))
export const readNormals = listOf(readNormal)

const readToldVenue = shape<Schema['VenueView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  name: field('name', readTextOrNull),
  timezone: field('timezone', (value) => knownZone(readText(value))),
  language: field('language', readText),
  logos: field('logos', readNames),
  colour: field('colour', readText),
  typeface: field('typeface', readText),
  logo: field('logo', readText),
  cover: field('cover', readText),
  /** The look as CSS, made by the server. */
  stylesheet: field('stylesheet', readText),
}))
export const readVenue = (body: unknown) => named(readToldVenue(body))
export type Venue = NonNullable<ReturnType<typeof readVenue>>

const readToldEvent = shape<Schema['EventView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  name: field('name', readTextOrNull),
  venue: field('venue', readTextOrNull),
  start_ms: field('start', readTime),
  end_ms: field('end', readTime),
  language: field('language', readText),
  url: field('url', readText),
  acronym: field('acronym', readText),
  logos: field('logos', readNames),
  colour: field('colour', readText),
  typeface: field('typeface', readText),
  logo: field('logo', readText),
  cover: field('cover', readText),
  /** The look as CSS, made by the server. */
  stylesheet: field('stylesheet', readText),
}))
export const readEvent = (body: unknown) => named(readToldEvent(body))
export type EventInfo = NonNullable<ReturnType<typeof readEvent>>

/** A thing that has no name of its own goes by its id. */
export const named = <T extends { id: string; name: string | null }>(told: T | null) =>
  told && { ...told, name: told.name ?? told.id }

/** Of rooms without a venue, and of venues whose zone this browser does not know. The server's own default. */
export const DEFAULT_ZONE = 'Europe/Paris'

function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return zone || DEFAULT_ZONE
  } catch {
    return DEFAULT_ZONE
  }
}

// --- what follows from it -------------------------------------------------------------------------------------------

/** On air now, overrun included. */
export const isRunning = ({ state }: Pick<Session, 'state'>): boolean => state === 'on_air' || state === 'overrun'

/** In which rooms it takes place, the one that carries it first. */
export const roomsOf = ({ room, alsoIn }: Pick<Session, 'room' | 'alsoIn'>): string[] =>
  room === '' ? [] : [room, ...alsoIn]

/** Neither over nor called off, nor begun. */
export const isAhead = ({ state }: Pick<Session, 'state'>): boolean => state === 'scheduled' || state === 'armed'

/** Only those who were told may know of it. */
export const isClosed = ({ visibility }: Pick<Session, 'visibility'>): boolean => visibility !== 'public'

/** The delay against the first plan that the audience is told, in whole minutes; 0 below one. */
export function lateMinutes({
  start_ms,
  shownStart_ms,
  delayMinutes,
}: Pick<Session, 'start_ms' | 'shownStart_ms' | 'delayMinutes'>): number {
  const late = Math.round((shownStart_ms - start_ms) / 60_000) + delayMinutes
  return late >= 1 ? late : 0
}

/**
 * Whether its audience may see it live, `streamed` of `streamer/conference/sessions.py`: a question that nobody answered
 * means no. Null: asked, and the answer is not for us (the room's `word` tells).
 */
export function isStreamed({ doNotStream, crew }: Pick<Session, 'doNotStream' | 'crew'>): boolean | null {
  if (doNotStream !== 'ask') return doNotStream === 'no'
  return crew === null ? null : crew.streamAnswer === true
}

/** In the order of their shown starts; two at once by room. */
export function inTimeOrder<T extends Pick<Session, 'shownStart_ms' | 'room' | 'id'>>(sessions: readonly T[]): T[] {
  return [...sessions].sort(
    (a, b) => a.shownStart_ms - b.shownStart_ms || a.room.localeCompare(b.room) || a.id.localeCompare(b.id),
  )
}
