/** The meters of many rooms, drawn together: each reading by itself would be a frame of its own, forty a second of ten rooms. */

import type { Sound } from './wall'

/** Readings wait so long for those of other rooms; a room has four a second. */
export const TOGETHER_MS = 200

type Draw = (sound: Sound | null) => void

export class Meters {
  private readonly drawing = new Map<string, Set<Draw>>()
  /** Room -> its last reading that is not drawn yet. */
  private readonly waiting = new Map<string, Sound | null>()
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Calls `draw` with a room's readings, the last one where several came. Returns how to stop. */
  on(room: string, draw: Draw): () => void {
    const drawing = this.drawing.get(room) ?? new Set()
    this.drawing.set(room, drawing.add(draw))
    return () => drawing.delete(draw)
  }

  read(room: string, sound: Sound | null): void {
    this.waiting.set(room, sound)
    this.timer ??= setTimeout(() => this.turn(), TOGETHER_MS)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private turn(): void {
    this.timer = undefined
    for (const [room, sound] of this.waiting) for (const draw of this.drawing.get(room) ?? []) draw(sound)
    this.waiting.clear()
  }
}
