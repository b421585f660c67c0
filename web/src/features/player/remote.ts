/** Playing on another device: AirPlay of Safari, Remote Playback (W3C) elsewhere. No foreign script. */
export interface Remote {
  /**
   * @param onavailable whether there is a device
   * @param onconnected whether one plays
   * @returns the way to end it
   */
  watch(onavailable: (found: boolean) => void, onconnected: (on: boolean) => void): () => void
  /** Opens the system's list of devices; needs the press of a key. */
  choose(): void
}

/** An element with the additions of Safari. */
interface AirPlayElement extends HTMLVideoElement {
  webkitShowPlaybackTargetPicker(): void
  webkitCurrentPlaybackTargetIsWireless: boolean
}

/** Null where the browser has neither. */
export function remoteOf(media: HTMLVideoElement): Remote | null {
  if (hasAirPlay(media)) return airPlay(media)
  return 'remote' in media && typeof media.remote.watchAvailability === 'function' ? remotePlayback(media) : null
}

const hasAirPlay = (media: HTMLVideoElement): media is AirPlayElement =>
  typeof (media as Partial<AirPlayElement>).webkitShowPlaybackTargetPicker === 'function'

function airPlay(media: AirPlayElement): Remote {
  return {
    watch(onavailable, onconnected) {
      const listening = new AbortController()
      const { signal } = listening
      const found = (event: Event) =>
        onavailable((event as Event & { availability?: string }).availability === 'available')
      const changed = () => onconnected(media.webkitCurrentPlaybackTargetIsWireless)
      media.addEventListener('webkitplaybacktargetavailabilitychanged', found, { signal })
      media.addEventListener('webkitcurrentplaybacktargetiswirelesschanged', changed, { signal })
      return () => listening.abort()
    },
    choose: () => media.webkitShowPlaybackTargetPicker(),
  }
}

function remotePlayback({ remote }: HTMLVideoElement): Remote {
  return {
    watch(onavailable, onconnected) {
      const listening = new AbortController()
      const { signal } = listening
      let watching: number | null = null
      const look = () => onconnected(remote.state === 'connected')
      for (const name of ['connect', 'connecting', 'disconnect']) remote.addEventListener(name, look, { signal })
      remote.watchAvailability(onavailable).then(
        (id) => {
          watching = id
          if (signal.aborted) void remote.cancelWatchAvailability(id).catch(() => undefined)
        },
        // The browser cannot look by itself (or not for this source): the list is offered only by its own menu.
        () => onavailable(false),
      )
      return () => {
        listening.abort()
        if (watching !== null) void remote.cancelWatchAvailability(watching).catch(() => undefined)
      }
    },
    choose() {
      // Refused when the viewer closes the list.
      void remote.prompt().catch(() => undefined)
    },
  }
}
