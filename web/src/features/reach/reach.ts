/** One's own ways to be reached when an alarm rings, and the duty lists (`streamer/api/hooks.py`, `duty.py`). Pure. */
import {
  listOf,
  openEnum,
  openEnumOr,
  type Read,
  readNumber,
  readText,
  readTextOrNull,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { Schema } from '$lib/api/types'

export type HookKind = Schema['HookKind']
type DutyState = Schema['DutyView']['state']

const readProblem = shape<Schema['HookProblem']>()(({ field, needed }) => ({
  code: needed('code', readTextOrNull),
  message: field('message', readText),
}))

export type Hook = Read<typeof readHook>
export const readHook = shape<Schema['HookView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  kind: needed('kind', openEnum<HookKind>()),
  label: field('label', readText),
  /** Without what opens it. */
  address: field('address', readText),
  always: field('always', readYes),
  sent_ms: field('sent', readTime),
  problem: field('problem', readProblem),
}))

/** The secret of a webhook that was just made; '' for others. */
export const secretOf = (body: Readonly<Record<string, unknown>>): string => readText(body['secret'])

export type Message = Read<typeof readMessage>
export const readMessage = shape<Schema['HookMessageView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  kind: field('kind', openEnumOr('began')),
  room: field('room', readText),
  cause: field('cause', readText),
  created_ms: needed('created', readTime),
  sent_ms: field('sent', readTime),
  attempts: field('attempts', readNumber),
  next_ms: field('next', readTime),
  problem: field('problem', readProblem),
}))

const readOpen = shape<Schema['RoomAlarmView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  room: field('room', readText),
  cause: field('cause', readText),
}))

export type DutyAlarms = Read<typeof readAlarms>
const readAlarms = shape<Schema['DutyAlarms']>()(({ field }) => ({
  open: field('open', listOf(readOpen)),
  taken: field('taken', listOf(readOpen)),
  snoozed: field('snoozed', listOf(readOpen)),
}))

export type Duty = Read<typeof readDuty>
export const readDuty = shape<Schema['DutyView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  venue: field('venue', readText),
  person: field('person', readText),
  label: field('label', readText),
  since_ms: field('since', readTime),
  until_ms: needed('until', readTime),
  state: needed('state', openEnum<DutyState>()),
  reachable: field('reachable', readYes),
  own: field('own', readYes),
  alarms: field('alarms', readAlarms),
}))

/** The values of the form for another way. */
export type HookForm = {
  kind: 'webhook' | 'ntfy' | 'mail'
  address: string
  label: string
  token: string
  always: boolean
}

export function hookBody(form: HookForm, language: string): Record<string, unknown> {
  const { kind, label, always } = form
  const address = form.address.trim()
  return {
    kind,
    label,
    always,
    language,
    ...(kind === 'mail' ? { mail: address } : { url: address }),
    ...(kind === 'ntfy' && form.token !== '' && { token: form.token.trim() }),
  }
}

/** Venue by venue, in the order in which people are rung; what is over is left out. `venues`: those that are looked after. */
export function dutyLists(
  duties: readonly Duty[],
  venues: readonly { id: string; name: string }[],
): { venue: string; name: string; duties: Duty[] }[] {
  const known = venues.map(({ id, name }) => ({ venue: id, name }))
  const others = [...new Set(duties.map((duty) => duty.venue))].filter(
    (venue) => !known.some((one) => one.venue === venue),
  )
  return [...known, ...others.map((venue) => ({ venue, name: venue }))].map((one) => ({
    ...one,
    duties: duties.filter((duty) => duty.venue === one.venue && duty.state !== 'over'),
  }))
}
