import { readStatus, type RoomStatus } from './room'

/** An entry of `GET /api/v1/rooms`; its venue is an id. */
export type ListedRoom = RoomStatus

export function readListed(body: unknown): ListedRoom | null {
  const status = readStatus(body, null)
  return status?.id ? status : null
}

const ORDER = { live: 0, slate: 1, off: 2 } as const

/** On air first, then by name. */
export function inOrder<T extends Pick<ListedRoom, 'state' | 'name'>>(rooms: readonly T[], language: string): T[] {
  return [...rooms].sort(
    (a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name, language, { numeric: true }),
  )
}
