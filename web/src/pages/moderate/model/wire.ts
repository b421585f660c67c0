/** Messages of `/moderation` that only moderators get (`streamer/realtime/protocol.md`); times become UTC ms. */
import {
  enumOr,
  listOf,
  type Read,
  readAnyText,
  readNumber,
  readText,
  readTextOrNull,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { SocketSchema } from '$lib/api/types'
import { readMessage } from '$features/talk/model/items'

export { type CrewMessage, readCrewMessage, readTrouble, type Trouble } from '$features/talk/model/crew-messages'

export type Report = Read<typeof readReport>
export const readReport = shape<SocketSchema['ReportChanged']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  kind: field('kind', enumOr(['message', 'question'], 'message')),
  /** The id of what is reported. */
  item: needed('item', readTextOrNull),
  participant: field('participant', readText),
  reason: field('reason', readTextOrNull),
  at_ms: needed('at', readTime),
  resolved: field('resolved', readYes),
}))

export type Action = Read<typeof readAction>
export const readAction = shape<SocketSchema['ActionChanged']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  /** The command's name: `chat.delete`. */
  kind: field('kind', readText),
  /** Ids of items, or what a mode became: `chat=slow`. */
  target: field('target', readText),
  participant: field('participant', readTextOrNull),
  who: field('who', readText),
  reason: field('reason', readTextOrNull),
  at_ms: needed('at', readTime),
  undoable: field('undoable', readYes),
  undone_ms: field('undone', readTime),
  undoneBy: field('undone_by', readTextOrNull),
}))

export type Sanction = Read<typeof readSanction>
export const readSanction = shape<SocketSchema['SanctionChanged']>()(({ field, needed }) => ({
  participant: needed('participant', readTextOrNull),
  name: field('name', readText),
  mutedUntil_ms: field('muted_until', readTime),
  banned: field('banned', readYes),
  reason: field('reason', readTextOrNull),
}))

export type AddressHold = Read<typeof readAddressHold>
export const readAddressHold = shape<SocketSchema['AddressHeld']>()(({ field, needed }) => ({
  prefix: needed('prefix', readTextOrNull),
  participant: field('participant', readText),
  until_ms: needed('until', readTime),
}))

export type Claim = Read<typeof readClaim>
export const readClaim = shape<SocketSchema['Claimed']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  /** Null: let go of. */
  by: field('by', readTextOrNull),
  until_ms: needed('until', readTime),
}))

const readNote = shape<SocketSchema['ParticipantNote']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  text: field('text', readText),
  by: field('by', readText),
  at_ms: needed('at', readTime),
}))

const readWritten = shape<SocketSchema['ParticipantText']>()(({ field, needed }) => ({
  kind: field('kind', enumOr(['message', 'question'], 'message')),
  id: needed('id', readTextOrNull),
  text: needed('text', readAnyText),
  state: field('state', readText),
  at_ms: needed('at', readTime),
}))

/** A participant as moderators see them. */
export type Card = Read<typeof readCard>
export const readCard = shape<SocketSchema['ParticipantRecord']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  name: field('name', readText),
  names: field('names', listOf(readTextOrNull)),
  place: field('place', readText),
  since_ms: field('since', readTime),
  here: field('here', readYes),
  messages: field('messages', readNumber),
  questions: field('questions', readNumber),
  mutedUntil_ms: field('muted_until', readTime),
  banned: field('banned', readYes),
  latest: field('latest', listOf(readMessage)),
  /** In the session that is on, the newest first. */
  written: field('written', listOf(readWritten)),
  history: field('history', listOf(readAction)),
  notes: field('notes', listOf(readNote)),
}))
