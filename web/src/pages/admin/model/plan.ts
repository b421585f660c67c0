/** Sessions as a form has them, and the bodies that plan and change them. Pure. */
import { roomsOf, type Session } from '$lib/protocol/day'
import { asLines, linesOf, wholeOrNull } from './places'
import { fromLocal, nextQuarter, rfc3339, toLocal } from './when'

const HOUR_MS = 3_600_000

/** Where a new session is put before somebody says otherwise. */
export interface Proposal {
  room: string
  event: string
  start_ms: number | null
}

export function sessionForm(session: Session | null, zone: string, proposal: Proposal, now_ms: number) {
  const start_ms = session?.start_ms ?? proposal.start_ms ?? nextQuarter(now_ms)
  return {
    title: session?.title ?? '',
    /** '': somewhere at the venue. */
    room: session?.room ?? proposal.room,
    also_in: asLines(session?.alsoIn ?? []),
    venue: session?.venue ?? '',
    event: session ? (session.event ?? '') : proposal.event,
    // Of a new one, what is left empty is what its kind says.
    kind: session?.kind ?? 'conference',
    start: toLocal(start_ms, zone),
    end: toLocal(session?.end_ms ?? start_ms + HOUR_MS, zone),
    subtitle: session?.subtitle ?? '',
    abstract: session?.abstract ?? '',
    speakers: asLines(session?.speakers ?? []),
    /** Speaker -> address of their picture, as JSON. */
    portraits: JSON.stringify(session?.crew?.portraitSources ?? {}),
    language: session?.language ?? '',
    tags: (session?.tags ?? []).join(', '),
    track: session?.track ?? '',
    url: session?.url ?? '',
    capacity: session?.capacity == null ? '' : String(session.capacity),
    visibility: (session?.visibility ?? '') as string,
    do_not_record: (session?.doNotRecord ?? '') as string,
    do_not_stream: (session?.doNotStream ?? '') as string,
    replay: (session?.replay ?? '') as string,
    chat: session?.crew?.chat ?? '',
    questions: session?.crew?.questions ?? '',
  }
}
export type SessionForm = ReturnType<typeof sessionForm>

/** Speaker -> address, of a form's value. */
export const portraitsIn = (text: string): Record<string, string> => JSON.parse(text || '{}') as Record<string, string>

const BY_KIND = ['visibility', 'do_not_record', 'do_not_stream', 'replay'] as const

/** @param room where it takes place now, whether or not that was changed */
export function sessionBody(
  { room: chosen, also_in, venue, ...values }: Partial<SessionForm>,
  zone: string,
  room: string,
): Record<string, unknown> {
  const { start, end, event, speakers, portraits, tags, capacity, ...rest } = values
  const body: Record<string, unknown> = { ...rest }
  for (const name of BY_KIND) if (body[name] === '') delete body[name]
  // Of a new one nothing is said; an old one keeps its audience's modes.
  for (const name of ['chat', 'questions']) if (body[name] === '') body[name] = null
  if (chosen !== undefined) body['room'] = room || null
  // Only what has a room has others, and only what has none has a venue of its own.
  if (room !== '' && also_in !== undefined) body['also_in'] = linesOf(also_in)
  if (room === '' && venue) body['venue'] = venue
  if (start !== undefined) body['start'] = rfc3339(fromLocal(start, zone))
  if (end !== undefined) body['end'] = rfc3339(fromLocal(end, zone))
  if (event !== undefined) body['event'] = event || null
  if (speakers !== undefined) body['speakers'] = linesOf(speakers)
  if (portraits !== undefined) body['portraits'] = portraitsIn(portraits)
  if (tags !== undefined) body['tags'] = linesOf(tags.replaceAll(',', '\n'))
  if (capacity !== undefined) body['capacity'] = wholeOrNull(capacity)
  return body
}

/** The other rooms after another room was chosen to carry it: the two change places where it was one of them. */
export function besides(also_in: string, before: string, room: string): string {
  const others = linesOf(also_in)
  if (room === '') return ''
  return asLines(others.includes(room) && before ? others.map((id) => (id === room ? before : id)) : others)
}

/** A start that is moved takes the end along, as calendars do. */
export function movedEnd(before: { start: string; end: string }, start: string, zone: string): string {
  const old = fromLocal(before.start, zone)
  const end = fromLocal(before.end, zone)
  const moved = fromLocal(start, zone)
  return old === null || end === null || moved === null || end <= old ? before.end : toLocal(moved + end - old, zone)
}

export interface SessionFilter {
  room: string
  event: string
  language: string
  state: string
  text: string
}

/** The sessions that a table shows. `text` is looked for in title, speakers and track, whatever its accents. */
export function filtered(sessions: readonly Session[], filter: SessionFilter): Session[] {
  const wanted = plain(filter.text.trim())
  return sessions.filter(
    (session) =>
      (filter.room === '' || roomsOf(session).includes(filter.room)) &&
      (filter.event === '' || session.event === filter.event) &&
      (filter.language === '' || session.language === filter.language) &&
      (filter.state === '' || session.state === filter.state) &&
      (wanted === '' ||
        [session.title, session.subtitle, session.track, ...session.speakers].some((words) =>
          plain(words).includes(wanted),
        )),
  )
}

const plain = (words: string): string =>
  words
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
