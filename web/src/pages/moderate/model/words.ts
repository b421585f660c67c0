/** Actions and messages in words. */
import { whenText } from '$features/reach/when'
import { shortened } from '$features/talk/model/text'
import { locale } from '$lib/i18n'
import { t as units } from '$lib/locales/units'
import { nameOf } from '$lib/person'
import { timeOfDay } from '$lib/time/times'
import { t } from '../locales'
import { en } from '../locales/en'
import type { Done, Refusal } from './commands.svelte'
import type { Entry } from './queue'
import type { Action } from './wire'

/** Keys that are made of what the server tells. */
export const say = t as (key: string, values?: Record<string, string | number>) => string
const has = (key: string): boolean => key in en

/** As much of a text as fits in a line. */
export const short = (text: string, most = 44): string => shortened(text.replace(/\s+/g, ' ').trim(), most)

export { nameOf }

export function doneWords({ kind, count, subject }: Done): string {
  return say(`done.${kind}`, { count, subject: short(subject) || '–' })
}

export function refusalWords(refusal: Refusal): { title: string; why: string } {
  const { kind, code, by, subject } = refusal
  const what = say(`done.${kind}`, { count: 1, subject: short(subject) }).replace(/\s*[:：]?\s*$/, '')
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
export const when = (at_ms: number, now_ms: number, zone: string | undefined): string =>
  whenText(at_ms, now_ms, locale.current, zone)

/** `40 s`, `3 min`, `2 h`. */
export function elapsed(from_ms: number, now_ms: number): string {
  const s = Math.max(0, Math.round((now_ms - from_ms) / 1_000))
  if (s < 60) return units('s', { count: s })
  return s < 3_600 ? units('min', { count: Math.floor(s / 60) }) : units('h', { count: Math.floor(s / 3_600) })
}
