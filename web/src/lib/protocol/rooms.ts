import { isRecord, readTextOrNull } from '$lib/api/read'
import { readStatus, type RoomStatus } from './room'

/** An entry of `GET /api/v1/rooms`; its venue is an id. */
export interface ListedRoom extends RoomStatus {
  id: string
}

export function readListed(body: unknown): ListedRoom | null {
  const status = readStatus(body, null)
  const id = isRecord(body) ? readTextOrNull(body['id']) : null
  return status && id !== null ? { ...status, id } : null
}

const ORDER = { live: 0, slate: 1, off: 2 } as const

/** On air first, then by name. */
export function inOrder<T extends Pick<ListedRoom, 'state' | 'name'>>(rooms: readonly T[], language: string): T[] {
  return [...rooms].sort(
    (a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name, language, { numeric: true }),
  )
}
