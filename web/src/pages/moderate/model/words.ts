/** Actions and messages in words. */
import { locale } from '$lib/i18n'
import { nameOf } from '$lib/person'
import { dayName, dayOf, timeOfDay } from '$lib/protocol/times'
import { t } from '../locales'
import { en } from '../locales/en'
import type { Done, Refusal } from './commands.svelte'
import type { Entry } from './queue'
import type { Action } from './wire'

/** Keys that are made of what the server tells. */
export const say = t as (key: string, values?: Record<string, string | number>) => string
const has = (key: string): boolean => key in en

const SHORT = 44

/** As much of a text as fits in a line. Whole characters, even where one is made of many signs. */
export function short(text: string, most = SHORT): string {
  const plain = text.replace(/\s+/g, ' ').trim()
  const characters = Array.from(plain)
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : plain
}

export { nameOf }

/** The two places that have a name of their own; others are what people call them. */
export function placeWords(place: string): string {
  return place === 'hall' ? t('place.hall') : place === 'remote' ? t('place.remote') : place
}

export function doneWords({ kind, count, subject }: Done): string {
  return say(`done.${kind}`, { count, subject: short(subject) || '–' })
}

export function refusalWords(refusal: Refusal): { title: string; why: string } {
  const { kind, code, by, subject } = refusal
  const what = say(`done.${kind}`, { count: 1, subject: short(subject) }).replace(/[:：]?\s*$/, '')
  const why = has(`no.${code}`) ? say(`no.${code}`, { name: nameOf(by) }) : say('no.other', { code })
  return { title: t('no.title', { what }), why }
}

export function actionWords({ kind, target }: Action): string {
  const count = target.split(' ').filter(Boolean).length
  if (kind === 'room.mode')
    return target === '' ? t('log.room.lists') : t('log.room.mode', { target: modeWords(target) })
  return has(`log.${kind}`) ? say(`log.${kind}`, { count, target }) : kind
}

/** `chat=slow slow_seconds=30`, as the server writes it down. */
export function modeWords(target: string): string {
  const NAMES: Record<string, string> = {
    chat: t('room.chat'),
    questions: t('room.questions'),
    order: t('questions.order'),
    shield: t('shield.up'),
    anonymous: t('mode.anonymous'),
    slow_seconds: t('mode.slow'),
    hold_seconds: t('mode.hold'),
  }
  const one = (pair: string) => {
    const [name = '', value = ''] = pair.split('=')
    const key = name === 'order' ? `questions.${value}` : `${name}.${value}`
    const plain = value === 'True' ? t('mode.on') : value === 'False' ? t('mode.off') : has(key) ? say(key) : value
    return t('named', { name: NAMES[name] ?? name, value: plain })
  }
  return target.split(' ').filter(Boolean).map(one).join(', ')
}

export function reasonWords(entry: Pick<Entry, 'reason' | 'waits'>): string {
  if (!entry.reason) return ''
  return entry.waits && has(`reason.${entry.reason}`)
    ? say(`reason.${entry.reason}`)
    : t('why.said', { reason: entry.reason })
}

export const clock = (at_ms: number, zone: string | undefined): string => timeOfDay(at_ms, locale.current, zone)

/** With its day, where that is another than today. */
export function when(at_ms: number, now_ms: number, zone: string | undefined): string {
  const time = clock(at_ms, zone)
  return dayOf(at_ms, zone) === dayOf(now_ms, zone) ? time : `${dayName(at_ms, locale.current, zone)}, ${time}`
}

/** `40 s`, `3 min`, `2 h`. */
export function span(from_ms: number, now_ms: number): string {
  const s = Math.max(0, Math.round((now_ms - from_ms) / 1_000))
  if (s < 60) return `${s} s`
  if (s < 3_600) return `${Math.floor(s / 60)} min`
  return `${Math.floor(s / 3_600)} h`
}
