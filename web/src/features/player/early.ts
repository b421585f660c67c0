import Hls, {
  type LoaderCallbacks,
  type LoaderConfiguration,
  type LoaderContext,
  type PlaylistLoaderConstructor,
  type PlaylistLoaderContext,
} from 'hls.js'
import { absolute } from '$lib/address'

/**
 * The multivariant playlist is asked for by the page's first script, while the player's own code is still on its way;
 * hls.js then finds the answer here instead of asking again.
 */
declare global {
  var streamerEarly: { address: string; asked_ms: number; text: Promise<string | null> } | undefined
}

/**
 * An answer older than this is not used: the player was built later, for another reason than the page's opening. The
 * scripts of a page take some seconds over a slow link.
 */
const FRESH_MS = 15_000

/** hls.js's own playlist loader, but for the one playlist that may be here already. */
export function earlyPlaylistLoader(): PlaylistLoaderConstructor {
  const Usual = Hls.DefaultConfig.loader as unknown as PlaylistLoaderConstructor
  return class extends Usual {
    override load(
      context: PlaylistLoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<PlaylistLoaderContext>,
    ): void {
      const early = globalThis.streamerEarly
      const usual = () => super.load(context, config, callbacks)
      if (!early || !sameAddress(context, early.address) || performance.now() - early.asked_ms > FRESH_MS)
        return usual()
      globalThis.streamerEarly = undefined
      void early.text.then((text) => {
        if (this.stats.aborted) return
        if (text === null) return usual()
        const now = performance.now()
        Object.assign(this.stats, { total: text.length, loaded: text.length, bwEstimate: 0 })
        Object.assign(this.stats.loading, { start: early.asked_ms, first: now, end: now })
        callbacks.onSuccess({ url: absolute(context.url), data: text, code: 200 }, this.stats, context, null)
      })
    }
  }
}

function sameAddress(context: LoaderContext, address: string): boolean {
  return absolute(context.url) === absolute(address)
}
