/**
 * What only moderators are told (`streamer/realtime/protocol.md`, `/moderation`). Readers take whatever came and answer null
 * where it is none of it; times become UTC ms. Items that everybody sees are read by `$lib/talk/items`.
 */
import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'
import { type ChatMessage, readItems, readMessage } from '$features/talk/model/items'

export { type CrewMessage, readCrewMessage, readTrouble, type Trouble } from '$features/talk/model/crew-messages'

export interface Report {
  id: string
  kind: 'message' | 'question'
  /** The id of what is reported. */
  item: string
  participant: string
  reason: string | null
  at_ms: number
  resolved: boolean
}

export interface Action {
  id: string
  /** The command's name: `chat.delete`. */
  kind: string
  /** Ids of items, or what a mode became: `chat=slow`. */
  target: string
  participant: string | null
  who: string
  reason: string | null
  at_ms: number
  undoable: boolean
  undone_ms: number | null
  undoneBy: string | null
}

export interface Sanction {
  participant: string
  name: string
  mutedUntil_ms: number | null
  banned: boolean
  reason: string | null
}

export interface AddressHold {
  prefix: string
  participant: string
  until_ms: number
}

export interface Claim {
  id: string
  /** Null: let go of. */
  by: string | null
  until_ms: number
}

export interface Note {
  id: string
  text: string
  by: string
  at_ms: number
}

/** A participant as moderators see them. */
export interface Card {
  id: string
  name: string
  names: readonly string[]
  place: string
  since_ms: number | null
  here: boolean
  messages: number
  questions: number
  mutedUntil_ms: number | null
  banned: boolean
  latest: readonly ChatMessage[]
  history: readonly Action[]
  notes: readonly Note[]
}

const readNumber = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)

export function readReport(data: unknown): Report | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const item = readTextOrNull(data['item'])
  const at_ms = readTime(data['at'])
  if (id === null || item === null || at_ms === null) return null
  return {
    id,
    item,
    at_ms,
    kind: data['kind'] === 'question' ? 'question' : 'message',
    participant: readText(data['participant']),
    reason: readTextOrNull(data['reason']),
    resolved: data['resolved'] === true,
  }
}

export function readAction(data: unknown): Action | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const at_ms = readTime(data['at'])
  if (id === null || at_ms === null) return null
  return {
    id,
    at_ms,
    kind: readText(data['kind']),
    target: readText(data['target']),
    participant: readTextOrNull(data['participant']),
    who: readText(data['who']),
    reason: readTextOrNull(data['reason']),
    undoable: data['undoable'] === true,
    undone_ms: readTime(data['undone']),
    undoneBy: readTextOrNull(data['undone_by']),
  }
}

export function readSanction(data: unknown): Sanction | null {
  if (!isRecord(data)) return null
  const participant = readTextOrNull(data['participant'])
  if (participant === null) return null
  return {
    participant,
    name: readText(data['name']),
    mutedUntil_ms: readTime(data['muted_until']),
    banned: data['banned'] === true,
    reason: readTextOrNull(data['reason']),
  }
}

export function readHold(data: unknown): AddressHold | null {
  if (!isRecord(data)) return null
  const prefix = readTextOrNull(data['prefix'])
  const until_ms = readTime(data['until'])
  return prefix === null || until_ms === null ? null : { prefix, until_ms, participant: readText(data['participant']) }
}

export function readClaim(data: unknown): Claim | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const until_ms = readTime(data['until'])
  return id === null || until_ms === null ? null : { id, until_ms, by: readTextOrNull(data['by']) }
}

function readNote(data: unknown): Note | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  const at_ms = readTime(data['at'])
  return id === null || at_ms === null ? null : { id, at_ms, text: readText(data['text']), by: readText(data['by']) }
}

export function readCard(data: unknown): Card | null {
  if (!isRecord(data)) return null
  const id = readTextOrNull(data['id'])
  if (id === null) return null
  return {
    id,
    name: readText(data['name']),
    names: readItems(data['names'], readTextOrNull),
    place: readText(data['place']),
    since_ms: readTime(data['since']),
    here: data['here'] === true,
    messages: readNumber(data['messages']),
    questions: readNumber(data['questions']),
    mutedUntil_ms: readTime(data['muted_until']),
    banned: data['banned'] === true,
    latest: readItems(data['latest'], readMessage),
    history: readItems(data['history'], readAction),
    notes: readItems(data['notes'], readNote),
  }
}
