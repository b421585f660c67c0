import type { Locale } from '$lib/i18n'
import { freeLink } from '$lib/later'
import { slowLink } from './hls-config'
import type * as Chrome from './media-chrome'
import type { Player } from './player-state.svelte'

const AGAIN_MS = 5_000

/**
 * media-chrome's elements, of which the controls are made. They are a fifth of the player's bytes: a slow link brings them
 * after the first picture.
 */
export class ControlElements {
  private chrome = $state.raw<typeof Chrome | null>(null)
  private begun = false
  private ready = () => {}
  /** They are here: keys that were pressed before count from now on. */
  readonly loaded = new Promise<void>((resolve) => (this.ready = resolve))

  get here(): boolean {
    return this.chrome !== null
  }

  /** The language to make them in; none while they are not here. */
  languages(locale: Locale): Locale[] {
    return this.chrome ? [this.chrome.speak(locale)] : []
  }

  /** Call while a component is made. */
  follow(player: Player): void {
    $effect(() => {
      const begins = player.playing !== 'none' || player.phase === 'starting'
      const expected = begins && !player.seen && !player.refused
      if (!expected) freeLink()
      if (!expected || !slowLink()) this.load()
    })
  }

  private load(): void {
    if (this.begun) return
    this.begun = true
    import('./media-chrome').then(
      (loaded) => {
        this.chrome = loaded
        this.ready()
      },
      () => {
        this.begun = false
        setTimeout(() => this.load(), AGAIN_MS)
      },
    )
  }
}
