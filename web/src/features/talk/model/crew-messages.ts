/** The crew's private line and what viewers have trouble with, as `/moderation` and `/studio` are told. Pure. */
import { isRecord, readText, readTextOrNull, readTime } from '$lib/protocol/day'

export interface CrewMessage {
  id: string
  to: 'crew' | 'stage'
  label: string
  text: string
  at_ms: number
}

export interface Trouble {
  kind: string
  /** How many had it in the last minute. */
  people: number
  alarm: boolean
  at_ms: number
}

export function readCrewMessage(data: unknown): CrewMessage | null {
  if (!isRecord(data) || data['removed'] === true) return null
  const id = readTextOrNull(data['id'])
  const at_ms = readTime(data['at'])
  if (id === null || at_ms === null) return null
  return {
    id,
    at_ms,
    to: data['to'] === 'stage' ? 'stage' : 'crew',
    label: readText(data['label']),
    text: readText(data['text']),
  }
}

export function readTrouble(data: unknown, at_ms: number): Trouble | null {
  if (!isRecord(data)) return null
  const kind = readTextOrNull(data['kind'])
  const { people } = data
  if (kind === null) return null
  return { kind, at_ms, people: typeof people === 'number' ? people : 0, alarm: data['alarm'] === true }
}
