import { absolute } from '$lib/address'
import type { Player } from './player-state.svelte'

/** A key that the system shows only where it is answered. */
type Handlers = Partial<Record<MediaSessionAction, MediaSessionActionHandler | null>>

const STEP_S = 10
const ACTIONS = ['play', 'pause', 'seekbackward', 'seekforward', 'seekto'] as const

/**
 * Tells the system (lock screen, media keys, headsets) what plays, and answers its keys.
 *
 * @param place where it comes from: the room, the event
 * @returns the way to end it
 */
export function tellSystem(player: Player, media: HTMLVideoElement, place: () => string): () => void {
  if (!('mediaSession' in navigator)) return () => undefined
  const { mediaSession } = navigator
  const stop = $effect.root(() => {
    $effect(() => {
      const session = player.status?.session
      mediaSession.metadata = new MediaMetadata({
        title: session?.title ?? player.status?.title ?? place(),
        artist: session?.speakers.join(', ') ?? '',
        album: place(),
        artwork: [{ src: absolute(player.stillAddress), sizes: '640x360', type: 'image/jpeg' }],
      })
    })
    $effect(() => {
      mediaSession.playbackState =
        player.playing === 'none' ? 'none' : player.paused || player.refused ? 'paused' : 'playing'
    })
    $effect(() => {
      const handlers = handlersOf(player, media)
      for (const action of ACTIONS) setHandler(action, handlers[action] ?? null)
    })
    $effect(() => {
      const { timeline } = player
      // Live has no end that the system could show.
      const known = timeline?.unit === 'span' && player.replay?.growing === false && timeline.end_ms > 0
      mediaSession.setPositionState?.(
        known
          ? {
              duration: timeline.end_ms / 1000,
              position: Math.min(timeline.at_ms, timeline.end_ms) / 1000,
              playbackRate: player.recording.rate,
            }
          : undefined,
      )
    })
  })
  return () => {
    stop()
    for (const action of ACTIONS) setHandler(action, null)
    mediaSession.metadata = null
    mediaSession.playbackState = 'none'
  }
}

function handlersOf(player: Player, media: HTMLVideoElement): Handlers {
  const handlers: Handlers = { play: () => player.press(), pause: () => media.pause() }
  // Without a delay there is nothing to go back to.
  if (player.playing !== 'hls' && player.playing !== 'audio') return handlers
  const move = (offset_s: number) => {
    const { timeline } = player
    if (timeline) void player.seek(Math.max(timeline.start_ms, timeline.at_ms + offset_s * 1000))
  }
  return {
    ...handlers,
    seekbackward: ({ seekOffset }) => move(-(seekOffset ?? STEP_S)),
    seekforward: ({ seekOffset }) => move(seekOffset ?? STEP_S),
    ...(player.replay && {
      seekto: ({ seekTime }) => seekTime !== undefined && void player.seek(seekTime * 1000),
    }),
  }
}

function setHandler(action: MediaSessionAction, handler: MediaSessionActionHandler | null): void {
  try {
    navigator.mediaSession.setActionHandler(action, handler)
  } catch {
    // An action that this browser does not know.
  }
}
