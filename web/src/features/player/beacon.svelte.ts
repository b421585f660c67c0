import { ask } from '$lib/api/client'
import { bufferedAhead } from './media'
import type { Player } from './player-state.svelte'
import { type BeaconSample, PlaybackBeacon, type PlaybackError } from './protocol/beacon'

const SAMPLE_MS = 1_000

/**
 * Tells the server how what is live plays here, so that the technician learns of what several viewers have. Who watches is not
 * told: no cookie, no name, no number.
 *
 * @returns the way to end it
 */
export function tellPlayback(player: Player, media: HTMLVideoElement): () => void {
  const beacon = new PlaybackBeacon(Math.random)
  const address = `/api/v1/rooms/${encodeURIComponent(player.runner.room)}/playback`
  const timer = setInterval(() => {
    const now_ms = performance.now()
    if (!playsLive(player)) return beacon.rest()
    const report = beacon.sample(sampleOf(player, media, now_ms))
    if (!report) return
    void ask(address, { method: 'POST', json: report, credentials: 'omit' }).then((answer) => {
      if (answer.ok) return
      if (answer.status === 0) beacon.lost(performance.now(), report)
      else beacon.refused(performance.now(), answer.retryAfter_ms ?? 0)
    })
  }, SAMPLE_MS)
  return () => clearInterval(timer)
}

/** A viewer who went back, paused, or has the page in the background stands still on purpose. */
function playsLive(player: Player): boolean {
  const { status, replay, following, paused, refused, playing, runner } = player
  const on = status !== null && status.state !== 'off' && !runner.over
  return on && replay === null && following && !paused && !refused && playing !== 'none' && !document.hidden
}

function sampleOf(player: Player, media: HTMLVideoElement, now_ms: number): BeaconSample {
  const { playback, playing, runner } = player
  const state = playback === 'playing' || playback === 'stalled' || playback === 'failing' ? playback : 'other'
  return {
    now_ms,
    state,
    error: errorOf(player, media),
    buffer_ms: playing === 'whep' ? null : bufferedAhead(media) * 1000,
    bitrate_kbps: (runner.qualities[runner.current]?.bitrate ?? NaN) / 1000,
    throughput_kbps: (runner.engine?.throughput ?? NaN) / 1000,
    rate: media.playbackRate,
    webrtc: playing === 'whep',
  }
}

function errorOf(player: Player, media: HTMLVideoElement): PlaybackError | null {
  if (!player.supported) return 'unsupported'
  if (media.error !== null) return 'media'
  return player.playback === 'failing' ? 'network' : null
}
