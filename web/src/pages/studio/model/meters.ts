/** The drawers of each room's meters. The server sends the readings of all rooms together: they are one frame of the page. */

import type { Sound } from './wall'

type Draw = (sound: Sound | null) => void

export class Meters {
  private readonly drawing = new Map<string, Set<Draw>>()

  /** Calls `draw` with a room's readings. Returns how to stop. */
  on(room: string, draw: Draw): () => void {
    const drawing = this.drawing.get(room) ?? new Set()
    this.drawing.set(room, drawing.add(draw))
    return () => drawing.delete(draw)
  }

  read(room: string, sound: Sound | null): void {
    for (const draw of this.drawing.get(room) ?? []) draw(sound)
  }
}
