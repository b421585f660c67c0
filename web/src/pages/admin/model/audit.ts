/** The audit log in the reader's words. Pure. */
import { type Read, readNumber, readRecord, readText, readTextOrNull, readTime, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import { clientName } from '$lib/client-name'
import type { Locale } from '$lib/i18n'
import { languageName } from '$lib/i18n/languages'
import { FLAGS, KINDS, REPLAY_POLICIES, SESSION_STATES, VISIBILITIES } from '$lib/protocol/day'
import { t } from '../locales/audit'
import { t as plan } from '../locales/plan'
import { t as shell } from '../locales/shell'
import { ROLES } from './grants'
import { valueText } from './imports'
import { BETWEEN, START_RULES } from './places'
import { exactTime } from './recordings'
import { moment, shortDay } from './when'

export interface Detail {
  field: string
  old: unknown
  new: unknown
  /** Whether it has an old and a new value; else it says something of what was done. */
  pair: boolean
}

/** Fields whose values are lists: two values in a list are no old and new one. */
const LISTS = new Set(['aliases', 'caption_languages', 'logos', 'rooms', 'sessions', 'skips', 'speakers', 'tags'])

function isPair(field: string, value: readonly unknown[]): boolean {
  if (value.length !== 2) return false
  if (field === 'skips' && value.every((one) => Array.isArray(one) && typeof one[0] === 'number')) return false
  return !LISTS.has(field) || value.every((one) => one === null || Array.isArray(one))
}

function detailOf(field: string, value: unknown): Detail {
  return Array.isArray(value) && isPair(field, value)
    ? { field, old: value[0] as unknown, new: value[1] as unknown, pair: true }
    : { field, old: null, new: value, pair: false }
}

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
  details: field('details', (value) => Object.entries(readRecord(value)).map(([name, one]) => detailOf(name, one))),
}))

/** Labels that the server gives itself. */
const OWN_LABELS: Readonly<Record<string, () => string>> = {
  STREAMER_ADMIN_TOKEN: () => t('who.admin'),
  admin: () => t('who.admin'),
  'command line': () => t('who.command'),
  retention: () => t('who.retention'),
}

/** The name of somebody who did something: a label, or the server’s own word. */
export function whoText({ who, label }: Pick<AuditEntry, 'who' | 'label'>): string {
  if (who === 'clock') return t('who.clock')
  return OWN_LABELS[label]?.() ?? (label || (who === 'admin' ? t('who.admin') : who))
}

/**
 * Those who did something, by the id that the log knows them by, in the order of their names. Links with the same label
 * are told apart by the time of their last entry here, and those of one minute by a number.
 *
 * @param when tells a time in the reader's words
 */
export function peopleOf(
  entries: readonly Pick<AuditEntry, 'who' | 'label' | 'at_ms'>[],
  more: string,
  when: (at_ms: number) => string,
): [string, string][] {
  const named = new Map(entries.map((entry) => [entry.who, whoText(entry)]))
  if (more !== '' && !named.has(more)) named.set(more, whoText({ who: more, label: '' }))
  const names = [...named.values()]
  const toldApart = ([who, name]: [string, string]): [string, string] => {
    const own = entries.filter((entry) => entry.who === who)
    if (own.length === 0 || names.indexOf(name) === names.lastIndexOf(name)) return [who, name]
    return [who, t('who.same', { name, at: when(Math.max(...own.map(({ at_ms }) => at_ms))) })]
  }
  const times = new Map<string, number>()
  return [...named]
    .map(toldApart)
    .sort(([, a], [, b]) => a.localeCompare(b))
    .map(([who, name]): [string, string] => {
      const count = (times.get(name) ?? 0) + 1
      times.set(name, count)
      return [who, count === 1 ? name : `${name} (${count})`]
    })
}

/** Things that the page knows by id. */
export interface Names {
  roomName(id: string): string
  venueName(id: string): string
  eventName(id: string): string
  sessionName(id: string): string
}

/** Where the reader is: language, zone, and names of things. */
export interface Reader {
  locale: Locale
  zone: string
  names: Names
}

/** `start_ms` -> `start`; the start of a room is a rule. */
export function fieldOf({ kind }: Pick<AuditEntry, 'kind'>, { field }: Pick<Detail, 'field'>): string {
  if (kind === 'room' && field === 'start') return 'start_rule'
  return field.replace(/_ms$/, '')
}

const TIMES = new Set(['start', 'end', 'started', 'ended', 'not_before', 'expires', 'from', 'to', 'until'])
/** Of these, seconds count. */
const EXACT = new Set(['from', 'to', 'started', 'ended'])

function timeText(field: string, value: unknown, kind: string, { locale, zone }: Reader): string {
  const at_ms = typeof value === 'number' ? value : readTime(value)
  if (at_ms === null) return '–'
  const exact = EXACT.has(field) || (kind === 'recording' && (field === 'start' || field === 'end'))
  return exact ? `${shortDay(at_ms, locale, zone)}, ${exactTime(at_ms, zone)}` : moment(at_ms, locale, zone)
}

/** A value of a newer server is told as it is. */
const wordsFor =
  <T extends string>(values: readonly T[], words: (value: T) => string) =>
  (told: string): string => {
    const value = values.find((one) => one === told)
    return value === undefined ? told : words(value)
  }
const flagText = wordsFor(FLAGS, (value) => plan(`flag.${value}`))

/** Words that stand for values, by field. */
const WORDS: Readonly<Record<string, (value: string) => string>> = {
  state: wordsFor(SESSION_STATES, (value) => plan(`state.${value}`)),
  kind: wordsFor(KINDS, (value) => plan(`kind.${value}`)),
  visibility: wordsFor(VISIBILITIES, (value) => plan(`visibility.${value}`)),
  do_not_record: flagText,
  do_not_stream: flagText,
  replay: wordsFor(REPLAY_POLICIES, (value) => plan(`replay.${value}`)),
  start_rule: wordsFor(START_RULES, (value) => plan(`rooms.start.${value}`)),
  between: wordsFor(BETWEEN, (value) => plan(`rooms.between.${value}`)),
  role: wordsFor(ROLES, (value) => shell(`role.${value}`)),
}

/** One value of a field in words; times on the reader's clock. `kind` is of what was changed. */
export function wordsOf(field: string, value: unknown, kind: string, reader: Reader): string {
  const { locale, zone, names } = reader
  if (value === null || value === undefined || value === '') return '–'
  if (typeof value === 'boolean') return shell(value ? 'yes' : 'no')
  if (TIMES.has(field)) return timeText(field, value, kind, reader)
  if (field === 'agent' && typeof value === 'string') return clientName(value)
  if (field === 'skips' && Array.isArray(value)) {
    const spans = value.flatMap((pair) =>
      Array.isArray(pair) ? [pair.map((at) => exactTime(readNumber(at), zone)).join(' – ')] : [],
    )
    return spans.length > 0 ? spans.join(', ') : '–'
  }
  if (field === 'sessions' && Array.isArray(value)) return t('value.sessions', { count: value.length })
  if (field === 'retention_days' && typeof value === 'number') return t('value.days', { count: value })
  if (field === 'gain_db' && typeof value === 'number') return `${value.toLocaleString(locale)} dB`
  if (field === 'rooms' && Array.isArray(value)) return value.map((id) => names.roomName(String(id))).join(', ') || '–'
  if (field === 'caption_languages' && Array.isArray(value)) {
    return value.map((tag) => languageName(String(tag), locale)).join(', ') || '–'
  }
  if (typeof value === 'string') {
    if (field === 'room') return names.roomName(value)
    if (field === 'venue') return names.venueName(value)
    if (field === 'event') return names.eventName(value)
    if (field === 'session') return names.sessionName(value)
    if (field === 'language') return languageName(value, locale)
    return WORDS[field]?.(value) ?? value
  }
  return typeof value === 'number' ? value.toLocaleString(locale) : valueText(value)
}
