/** A technician's taps as values, and how each travels: over Socket.IO `/studio` or REST. Pure. */

import type { JsonObject, Schema } from '$lib/api/types'
import { listOf, readTextOrNull } from '$lib/api/read'
import { readSession, type Session } from '$lib/protocol/day'

export type Scope = 'room' | 'venue' | 'event'

/** One thing of a source at a time: each has a key, and an undo, of its own. */
export type SourceChange =
  { gain_db: number } | { mute: boolean } | { mono: boolean } | { kind: Schema['SourceKind'] | null }

export type Tap =
  | { kind: 'start' | 'end'; session: string; at_ms: number | null }
  | { kind: 'extend'; session: string; minutes: number }
  | { kind: 'delay'; session: string; minutes: number; following: boolean }
  | { kind: 'cancel' | 'reopen'; session: string }
  | { kind: 'answer'; session: string; record?: boolean; stream?: boolean }
  | { kind: 'ad_hoc'; title: string }
  | { kind: 'hold'; scope: Scope; id: string; message: string }
  | { kind: 'resume'; scope: Scope; id: string; shift: boolean }
  | { kind: 'slate'; on: boolean }
  | { kind: 'take'; source: string | null }
  | { kind: 'set'; source: string; change: SourceChange }
  | { kind: 'forget'; minutes: number }
  | { kind: 'undo'; action: string }
  | { kind: 'acknowledge' | 'normal' | 'not_normal'; alarm: string }
  | { kind: 'snooze'; alarm: string; minutes: number }

export type TapKind = Tap['kind']

/** Equal for taps that are the same key: while one is under way it cannot be pressed again. */
export function keyOf(tap: Tap): string {
  switch (tap.kind) {
    case 'undo':
      return `undo:${tap.action}`
    case 'set':
      return `set:${tap.source}:${Object.keys(tap.change).join()}`
    default:
      if ('alarm' in tap) return `${tap.kind}:${tap.alarm}`
      return 'session' in tap ? `${tap.kind}:${tap.session}` : tap.kind
  }
}

/** Commands of `/studio`. Null: only over REST. End and extend name no session there; by REST they cannot hit another one. */
export function commandOf(tap: Tap): { name: string; data: Record<string, unknown> } | null {
  switch (tap.kind) {
    case 'start':
      return { name: 'session.start', data: { id: tap.session, ...(tap.at_ms === null ? {} : { at: tap.at_ms }) } }
    case 'slate':
      return { name: 'air.slate', data: { on: tap.on } }
    case 'take':
      return { name: 'air.take', data: { source: tap.source } }
    case 'undo':
      return { name: 'undo', data: { action: tap.action } }
    case 'acknowledge':
      return { name: 'alarm.acknowledge', data: { id: tap.alarm } }
    case 'snooze':
      return { name: 'alarm.snooze', data: { id: tap.alarm, minutes: tap.minutes } }
    case 'normal':
    case 'not_normal':
      return { name: 'alarm.normal', data: { id: tap.alarm, on: tap.kind === 'normal' } }
    default:
      return null
  }
}

/** Path and body of a `POST`, where it is not another method. */
export function requestOf(
  tap: Tap,
  room: string,
): { path: string; body: Record<string, unknown>; method?: 'DELETE' | 'PATCH' } {
  const inRoom = (name: string) => `/api/v1/rooms/${encodeURIComponent(room)}/${name}`
  switch (tap.kind) {
    case 'start':
    case 'end':
      return ofSession(tap, tap.at_ms === null ? {} : { at: tap.at_ms })
    case 'extend':
      return ofSession(tap, { minutes: tap.minutes })
    case 'delay':
      return ofSession(tap, { minutes: tap.minutes, following: tap.following })
    case 'cancel':
    case 'reopen':
      return ofSession(tap, {})
    case 'answer': {
      const { record, stream } = tap
      return ofSession(tap, {
        ...(record === undefined ? {} : { record }),
        ...(stream === undefined ? {} : { stream }),
      })
    }
    case 'ad_hoc':
      return { path: inRoom('ad_hoc'), body: tap.title ? { title: tap.title } : {} }
    case 'hold':
      return { path: `/api/v1/${tap.scope}s/${encodeURIComponent(tap.id)}/hold`, body: { message: tap.message } }
    case 'resume':
      return { path: `/api/v1/${tap.scope}s/${encodeURIComponent(tap.id)}/resume`, body: { shift: tap.shift } }
    case 'slate':
      return { path: inRoom('air'), body: { slate: tap.on } }
    case 'take':
      return { path: inRoom('air'), body: { source: tap.source } }
    case 'set':
      return { path: inRoom(`sources/${encodeURIComponent(tap.source)}`), body: tap.change, method: 'PATCH' }
    case 'forget':
      return { path: inRoom('forget'), body: { minutes: tap.minutes } }
    case 'undo':
      return { path: `/api/v1/actions/${encodeURIComponent(tap.action)}/undo`, body: {} }
    case 'acknowledge':
    case 'normal':
      return { path: ofAlarm(tap), body: {} }
    case 'snooze':
      return { path: ofAlarm(tap), body: { minutes: tap.minutes } }
    case 'not_normal':
      return { path: ofAlarm({ ...tap, kind: 'normal' }), body: {}, method: 'DELETE' }
  }
}

function ofAlarm(tap: { kind: TapKind; alarm: string }): string {
  return `/api/v1/alarms/${encodeURIComponent(tap.alarm)}/${tap.kind}`
}

function ofSession(tap: { kind: TapKind; session: string }, body: Record<string, unknown>) {
  return { path: `/api/v1/sessions/${encodeURIComponent(tap.session)}/${tap.kind}`, body }
}

export interface Outcome {
  /** The actions that undo it; empty where nothing changed or nothing can be undone. */
  actions: string[]
  /** Sessions as they are now. */
  sessions: Session[]
}

/** Of an answer by either way: a session with its action, a room's `Done`, or an acknowledgement. */
export function readOutcome(body: JsonObject): Outcome {
  const { action, actions, session, sessions } = body
  const several = listOf(readTextOrNull)(actions)
  const one = readTextOrNull(action)
  return {
    actions: several.length > 0 || one === null ? several : [one],
    sessions: listOf(readSession)([body, session, ...(Array.isArray(sessions) ? sessions : [])]),
  }
}
