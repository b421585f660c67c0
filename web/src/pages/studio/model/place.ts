/** Which source of which room a studio page feeds. Pure. */

export interface StudioRoom {
  id: string
  name: string
  venue: string | null
  /** The source of the room that this page feeds. */
  source: string
}

/** `/whip/{room}`, with the source where it is not the room's main one. */
export function whipPath({ id, source }: Pick<StudioRoom, 'id' | 'source'>): string {
  return `/whip/${encodeURIComponent(id)}${source === 'main' ? '' : `/${encodeURIComponent(source)}`}`
}
