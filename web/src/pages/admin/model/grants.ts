/** Grants: links for the day. Pure. */
import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'
import type { Me } from '$lib/login'
import { fromLocal, rfc3339 } from './when'

export type Role = Me['role']
export type ScopeKind = 'whole' | 'venue' | 'event' | 'room' | 'session'
export type GrantState = 'in_force' | 'to_come' | 'over'

export interface Grant {
  id: string
  role: Role
  label: string
  scope: { kind: ScopeKind; id: string }
  notBefore_ms: number | null
  expires_ms: number | null
  /** From when it is good for nothing new; null: open. */
  ends_ms: number | null
  inForce: boolean
  created_ms: number | null
}

/** A grant whose token has just been made: shown this once. */
export interface Card extends Grant {
  link: string
  /** The link as a `data:image/svg+xml` address. */
  qr: string
}

const ROLES: readonly Role[] = ['admin', 'organiser', 'technician', 'moderator', 'captioner', 'speaker', 'viewer']

export function readGrant(body: unknown): Grant | null {
  if (!isRecord(body)) return null
  const id = readTextOrNull(body['id'])
  const role = ROLES.find((one) => one === body['role'])
  if (id === null || role === undefined) return null
  return {
    id,
    role,
    label: readText(body['label']),
    scope: scopeOf(body),
    notBefore_ms: readTime(body['not_before']),
    expires_ms: readTime(body['expires']),
    ends_ms: readTime(body['ends']),
    inForce: body['in_force'] === true,
    created_ms: readTime(body['created']),
  }
}

function scopeOf(body: Record<string, unknown>): Grant['scope'] {
  for (const kind of ['session', 'room', 'event', 'venue'] as const) {
    const id = readTextOrNull(body[kind])
    if (id !== null) return { kind, id }
  }
  return { kind: 'whole', id: '' }
}

export function readCard(body: unknown): Card | null {
  const grant = readGrant(body)
  if (grant === null || !isRecord(body)) return null
  const link = readTextOrNull(body['link'])
  const qr = readText(body['qr'])
  // Only a picture of ours goes into the page.
  return link === null ? null : { ...grant, link, qr: qr.startsWith('data:image/svg+xml') ? qr : '' }
}

export function stateOf(grant: Pick<Grant, 'notBefore_ms' | 'ends_ms'>, now_ms: number): GrantState {
  if (grant.ends_ms !== null && grant.ends_ms <= now_ms) return 'over'
  if (grant.notBefore_ms !== null && grant.notBefore_ms > now_ms) return 'to_come'
  return 'in_force'
}

export function grantForm() {
  return {
    role: 'technician',
    scope: 'room',
    venue: '',
    event: '',
    room: '',
    session: '',
    label: '',
    not_before: '',
    expires: '',
  }
}
export type GrantForm = ReturnType<typeof grantForm>

/** Instead of a room's id: one grant for each of the rooms. */
export const EACH_ROOM = '*'

/** The bodies of the grants that a form asks for: one, or one for each room. `rooms`: id -> name, of those in view. */
export function grantBodies(
  form: GrantForm,
  rooms: readonly { id: string; name: string }[],
  zone: string,
): Record<string, unknown>[] {
  const common = {
    role: form.role,
    label: form.label,
    not_before: rfc3339(fromLocal(form.not_before, zone)),
    expires: rfc3339(fromLocal(form.expires, zone)),
  }
  if (form.scope === 'whole') return [common]
  if (form.scope === 'room' && form.room === EACH_ROOM) {
    return rooms.map((room) => ({ ...common, label: form.label || room.name, room: room.id }))
  }
  const id = form[form.scope as 'venue' | 'event' | 'room' | 'session']
  return [{ ...common, [form.scope]: id }]
}
