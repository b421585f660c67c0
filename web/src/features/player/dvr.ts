import { audioPlaylist, type PlaylistWindow, playlistWindow } from './protocol/playlist'
import { fetchText } from './media'

const FRESH_MS = 60_000

/** The stretch that a broadcast goes back: asked for when a viewer reaches for the bar, and known for a while. */
export class Dvr {
  private known: { window: PlaylistWindow; asked_ms: number } | null = null

  get start_ms(): number | null {
    return this.known?.window.start_ms ?? null
  }

  forget(): void {
    this.known = null
  }

  /** @param address of the multivariant playlist of the whole window */
  async load(address: string): Promise<PlaylistWindow | null> {
    if (this.known && performance.now() - this.known.asked_ms < FRESH_MS) return this.known.window
    try {
      const master = await fetchText(address)
      const audio = master === null ? null : audioPlaylist(master, address)
      const playlist = audio === null ? null : await fetchText(audio)
      const window = playlist === null ? null : playlistWindow(playlist)
      if (window) this.known = { window, asked_ms: performance.now() }
      return window
    } catch {
      return null
    }
  }
}
