import type { Replay } from './recording.svelte'

/** As the server makes them (`streamer/media/frames.py`). */
const COLUMNS = 10
export const TILE = { width: 160, height: 90 } as const

/** The small pictures of a recording that the bar shows under the pointer. */
export class Sheet {
  private picture = $state.raw<{ url: string; tiles: number } | null>(null)
  private of = ''

  /** Call when the viewer reaches for the bar. A recording that grows has none yet. */
  async load(replay: Replay | null): Promise<void> {
    const address = replay && !replay.growing ? replay.address.replace(/index\.m3u8(?=$|\?)/, 'sheet.jpg') : ''
    if (address === this.of) return
    this.close()
    this.of = address
    if (address === '') return
    try {
      const response = await fetch(address)
      const tiles = Number(response.headers.get('X-Tiles'))
      if (!response.ok || !(tiles > 0)) return
      const url = URL.createObjectURL(await response.blob())
      if (this.of === address) this.picture = { url, tiles }
      else URL.revokeObjectURL(url)
    } catch {
      // The bar shows the time alone.
    }
  }

  /** The style of the picture at a place of the bar (0 to 1); null without one. */
  at(share: number): string | null {
    if (!this.picture) return null
    const { url, tiles } = this.picture
    const { left, top } = placeOf(share, tiles)
    return `background: url("${url}") ${-left}px ${-top}px`
  }

  close(): void {
    if (this.picture) URL.revokeObjectURL(this.picture.url)
    this.picture = null
    this.of = ''
  }
}

/** Where the picture for a place of the bar lies in the sheet, in pixels. */
export function placeOf(share: number, tiles: number): { left: number; top: number } {
  const tile = Math.min(tiles - 1, Math.max(0, Math.floor(share * tiles)))
  return { left: (tile % COLUMNS) * TILE.width, top: Math.floor(tile / COLUMNS) * TILE.height }
}
