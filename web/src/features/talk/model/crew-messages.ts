/** The crew's messages among themselves and viewers' trouble, as `/moderation` and `/studio` are told. Pure. */
import {
  enumOr,
  type Read,
  readNumber,
  readRecord,
  readText,
  readTextOrNull,
  readTime,
  readYes,
  shape,
} from '$lib/api/read'
import type { SocketSchema } from '$lib/api/types'

const readTold = shape<SocketSchema['CrewMessageSent']>()(({ field, needed }) => ({
  id: needed('id', readTextOrNull),
  to: field('to', enumOr(['crew', 'stage'], 'crew')),
  label: field('label', readText),
  text: field('text', readText),
  at_ms: needed('at', readTime),
}))
export type CrewMessage = Read<typeof readTold>

export const readCrewMessage = (data: unknown): CrewMessage | null =>
  readRecord(data)['removed'] === true ? null : readTold(data)

const readKind = shape<SocketSchema['Events']['trouble']>()(({ field, needed }) => ({
  kind: needed('kind', readTextOrNull),
  /** The number of people who had it in the last minute. */
  people: field('people', readNumber),
  alarm: field('alarm', readYes),
}))
export type Trouble = Read<typeof readKind> & { at_ms: number }

export function readTrouble(data: unknown, at_ms: number): Trouble | null {
  const told = readKind(data)
  return told && { ...told, at_ms }
}
