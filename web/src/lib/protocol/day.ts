/**
 * The day's things as the API tells them (`streamer/api/session_models.py`, `room_models.py`, `models.py`): sessions, holds,
 * alarms, venues, events. Readers take whatever came and answer null where it is none; times become UTC ms.
 */

export const SESSION_STATES = ['scheduled', 'armed', 'on_air', 'overrun', 'ended', 'cancelled'] as const
export type SessionState = (typeof SESSION_STATES)[number]
export const KINDS = ['conference', 'workshop', 'seminar', 'training', 'meeting', 'social', 'break'] as const
export type Kind = (typeof KINDS)[number]
export const VISIBILITIES = ['public', 'unlisted', 'private'] as const
export type Visibility = (typeof VISIBILITIES)[number]
export const FLAGS = ['no', 'yes', 'ask'] as const
export type Flag = (typeof FLAGS)[number]
export const REPLAY_POLICIES = ['at_once', 'after_review', 'never'] as const
export type ReplayPolicy = (typeof REPLAY_POLICIES)[number]
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

export interface Session {
  id: string
  room: string
  event: string | null
  title: string
  subtitle: string
  abstract: string
  speakers: readonly string[]
  language: string
  tags: readonly string[]
  track: string
  url: string
  kind: Kind
  capacity: number | null
  visibility: Visibility
  doNotRecord: Flag
  doNotStream: Flag
  replay: ReplayPolicy
  state: SessionState
  /** As planned now, delays included. */
  start_ms: number
  end_ms: number
  /** As the audience is told: moved while something before it overruns. */
  shownStart_ms: number
  shownEnd_ms: number
  /** When it should end: as planned, or what it was extended to. An overrun does not move it. */
  expectedEnd_ms: number
  /** How far it was delayed by people, in minutes. */
  delayMinutes: number
  /** Its marks, media times. */
  started_ms: number | null
  ended_ms: number | null
  adHoc: boolean
  watchUrl: string
  /** Null where there is no replay that answers. */
  replayUrl: string | null
  /** Only for its crew and the holders of its grants (or of an unlisted session's link). */
  crew: SessionCrew | null
}

export interface SessionCrew {
  /** Of its own output, '' for a public session. */
  key: string
  /** The playlist of what its audience sees, as a path. */
  liveUrl: string
  /** What was answered to `ask`; null: nothing yet. */
  recordAnswer: boolean | null
  streamAnswer: boolean | null
  guid: string
  externalId: string
}

export interface Hold {
  message: string
  since_ms: number
  /** Only told; nothing resumes by itself. */
  until_ms: number | null
}

export interface Alarm {
  id: string
  code: string
  level: 'alarm' | 'warning' | 'notice'
  since_ms: number
  /** Whose it is: `technician`, `organiser`, `operator`. */
  owner: string
  session: string | null
  details: Readonly<Record<string, unknown>>
  /** Who has taken it on. */
  acknowledged: string | null
}

export interface Venue {
  id: string
  name: string
  timezone: string
  language: string
  logos: readonly string[]
}

export interface EventInfo {
  id: string
  name: string
  venue: string | null
  start_ms: number | null
  end_ms: number | null
  language: string
  url: string
  acronym: string
  logos: readonly string[]
}

/** What the API says where it refuses. */
export interface ApiError {
  code: string
  message: string
  details: unknown
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const readText = (value: unknown): string => (typeof value === 'string' ? value : '')
export const readTextOrNull = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null

/** RFC 3339, or media time in ms, to UTC ms. */
export function readTime(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value !== 'string') return null
  const at_ms = Date.parse(value)
  return Number.isNaN(at_ms) ? null : at_ms
}

const readTexts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : []

const readYes = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)

function oneOf<const T extends string>(known: readonly T[], value: unknown, otherwise: T): T {
  return known.find((item) => item === value) ?? otherwise
}

export function readWord(value: unknown): Word | null {
  return WORDS.find((word) => word === value) ?? null
}

/** Reads a session object; null without an id, a title, a state that we know and its times. */
export function readSession(body: unknown): Session | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  const title = readTextOrNull(body['title'])
  const state = SESSION_STATES.find((known) => known === body['state'])
  const start_ms = readTime(body['start'])
  const end_ms = readTime(body['end'])
  if (id === null || title === null || state === undefined || start_ms === null || end_ms === null) return null
  return {
    id,
    room: readText(body['room']),
    event: readTextOrNull(body['event']),
    title,
    subtitle: readText(body['subtitle']),
    abstract: readText(body['abstract']),
    speakers: readTexts(body['speakers']),
    language: readText(body['language']),
    tags: readTexts(body['tags']),
    track: readText(body['track']),
    url: readText(body['url']),
    kind: oneOf(KINDS, body['kind'], 'conference'),
    capacity: typeof body['capacity'] === 'number' ? body['capacity'] : null,
    // What is not understood is taken as the stricter.
    visibility: oneOf(VISIBILITIES, body['visibility'], 'private'),
    doNotRecord: oneOf(FLAGS, body['do_not_record'], 'no'),
    doNotStream: oneOf(FLAGS, body['do_not_stream'], 'no'),
    replay: oneOf(REPLAY_POLICIES, body['replay'], 'at_once'),
    state,
    start_ms,
    end_ms,
    shownStart_ms: readTime(body['shown_start']) ?? start_ms,
    shownEnd_ms: readTime(body['shown_end']) ?? end_ms,
    expectedEnd_ms: readTime(body['expected_end']) ?? end_ms,
    delayMinutes: typeof body['delay_minutes'] === 'number' ? body['delay_minutes'] : 0,
    started_ms: readTime(body['started_at_ms']) ?? readTime(body['started']),
    ended_ms: readTime(body['ended_at_ms']) ?? readTime(body['ended']),
    adHoc: body['ad_hoc'] === true,
    watchUrl: readText(body['watch_url']),
    replayUrl: readTextOrNull(body['replay_url']),
    crew: readCrew(body),
  }
}

function readCrew(body: Record<string, unknown>): SessionCrew | null {
  if (typeof body['key'] !== 'string' || typeof body['live_url'] !== 'string') return null
  return {
    key: body['key'],
    liveUrl: body['live_url'],
    recordAnswer: readYes(body['record_answer']),
    streamAnswer: readYes(body['stream_answer']),
    guid: readText(body['guid']),
    externalId: readText(body['external_id']),
  }
}

export function readHold(body: unknown): Hold | null {
  if (!isRecord(body)) return null
  const since_ms = readTime(body['since'])
  if (since_ms === null) return null
  return { message: readText(body['message']), since_ms, until_ms: readTime(body['until']) }
}

export function readAlarm(body: unknown): Alarm | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  const code = readTextOrNull(body['code'])
  const since_ms = readTime(body['since'])
  if (id === null || code === null || since_ms === null) return null
  return {
    id,
    code,
    level: oneOf(['alarm', 'warning', 'notice'], body['level'], 'warning'),
    since_ms,
    owner: readText(body['owner']),
    session: readTextOrNull(body['session']),
    details: isRecord(body['details']) ? body['details'] : {},
    acknowledged: readTextOrNull(body['acknowledged']),
  }
}

export function readAlarms(body: unknown): Alarm[] {
  return Array.isArray(body) ? body.map(readAlarm).filter((alarm) => alarm !== null) : []
}

export function readVenue(body: unknown): Venue | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  if (id === null) return null
  return {
    id,
    name: readTextOrNull(body['name']) ?? id,
    timezone: knownZone(readText(body['timezone'])),
    language: readText(body['language']),
    logos: readTexts(body['logos']),
  }
}

export function readEvent(body: unknown): EventInfo | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  if (id === null) return null
  return {
    id,
    name: readTextOrNull(body['name']) ?? id,
    venue: readTextOrNull(body['venue']),
    start_ms: readTime(body['start']),
    end_ms: readTime(body['end']),
    language: readText(body['language']),
    url: readText(body['url']),
    acronym: readText(body['acronym']),
    logos: readTexts(body['logos']),
  }
}

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

/** Reads one page of a list (`{"items": […], "cursor": …}`); items that are none are left out. Null: no list at all. */
export function readList<T>(
  body: unknown,
  read: (item: unknown) => T | null,
): { items: T[]; cursor: string | null } | null {
  if (!isRecord(body) || !Array.isArray(body['items'])) return null
  const items: T[] = []
  for (const item of body['items'] as unknown[]) {
    const made = read(item)
    if (made !== null) items.push(made)
  }
  return { items, cursor: readTextOrNull(body['cursor']) }
}

/** Reads `{"error": {"code", "message", "details"}}`; null where it is something else (a proxy's page). */
export function readError(body: unknown): ApiError | null {
  if (!isRecord(body) || !isRecord(body['error'])) return null
  const code = readTextOrNull(body['error']['code'])
  if (code === null) return null
  return { code, message: readText(body['error']['message']), details: body['error']['details'] ?? null }
}

// --- what follows from it -------------------------------------------------------------------------------------------

/** On air now, overrun included. */
export const isRunning = ({ state }: Pick<Session, 'state'>): boolean => state === 'on_air' || state === 'overrun'

/** Neither over nor called off, nor begun. */
export const isAhead = ({ state }: Pick<Session, 'state'>): boolean => state === 'scheduled' || state === 'armed'

/** Only those who were told may know of it. */
export const isClosed = ({ visibility }: Pick<Session, 'visibility'>): boolean => visibility !== 'public'

/** How much later than first planned the audience is told that it begins, in whole minutes; 0 below one. */
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
