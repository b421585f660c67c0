import Hls, {
  type LoaderCallbacks,
  type LoaderConfiguration,
  type PlaylistLoaderConstructor,
  type PlaylistLoaderContext,
} from 'hls.js'
import { withGapsClosed } from './protocol/playlist'

/** hls.js's own playlist loader, for recordings: see `withGapsClosed`. */
export function replayPlaylistLoader(): PlaylistLoaderConstructor {
  const Usual = Hls.DefaultConfig.loader as unknown as PlaylistLoaderConstructor
  return class extends Usual {
    override load(
      context: PlaylistLoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<PlaylistLoaderContext>,
    ): void {
      super.load(context, config, {
        ...callbacks,
        onSuccess(response, stats, loaded, details) {
          const data = typeof response.data === 'string' ? withGapsClosed(response.data) : response.data
          callbacks.onSuccess(data === undefined ? response : { ...response, data }, stats, loaded, details)
        },
      })
    }
  }
}
