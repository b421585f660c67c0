/** Grants: links for the day. Pure. */
import { openEnum, type Read, readRecord, readText, readTextOrNull, readTime, readYes, shape } from '$lib/api/read'
import type { Schema } from '$lib/api/types'
import type { Me } from '$lib/login'
import { fromLocal, rfc3339 } from './when'

export type Role = Me['role']
export const ROLES = [
  'technician',
  'publisher',
  'moderator',
  'speaker',
  'captioner',
  'viewer',
  'approver',
  'organiser',
  'admin',
] as const satisfies readonly Role[]
export type ScopeKind = 'whole' | 'venue' | 'event' | 'room' | 'session'
export type GrantState = 'in_force' | 'to_come' | 'over'

const readToldGrant = shape<Schema['GrantView']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  role: needed('role', openEnum<Role>()),
  label: field('label', readText),
  notBefore_ms: field('not_before', readTime),
  expires_ms: field('expires', readTime),
  /** From when it is good for nothing new; null: open. */
  ends_ms: field('ends', readTime),
  inForce: field('in_force', readYes),
  created_ms: field('created', readTime),
  sessionTitle: field('session_title', readText),
}))

export function readGrant(body: unknown) {
  const grant = readToldGrant(body)
  return grant && { ...grant, scope: scopeOf(readRecord(body)) }
}
export type Grant = NonNullable<ReturnType<typeof readGrant>>

function scopeOf(body: Readonly<Record<string, unknown>>): { kind: ScopeKind; id: string } {
  for (const kind of ['session', 'room', 'event', 'venue'] as const) {
    const id = readTextOrNull(body[kind])
    if (id !== null) return { kind, id }
  }
  return { kind: 'whole', id: '' }
}

const readLink = shape<Schema['GrantCreated']>()(({ field, needed }) => ({
  link: needed('link', readTextOrNull),
  token: field('token', readText),
  // Only a picture of ours goes into the page.
  qr: field('qr', (value) => (readText(value).startsWith('data:image/svg+xml') ? readText(value) : '')),
}))

/** A grant whose token has just been made, shown this once: its link, and that as a `data:image/svg+xml` address. */
export type GrantCard = Grant & Read<typeof readLink>

export function readCard(body: unknown): GrantCard | null {
  const grant = readGrant(body)
  const card = readLink(body)
  return grant && card && { ...grant, ...card }
}

/** The address and the token that an encoder asks for; null for links of people. `{room}` stands where it is not one room. */
export function encoderOf(card: GrantCard): { server: string; token: string } | null {
  if (card.role !== 'publisher' || card.token === '') return null
  const room = card.scope.kind === 'room' ? encodeURIComponent(card.scope.id) : '{room}'
  return { server: `${new URL(card.link).origin}/whip/${room}`, token: card.token }
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
