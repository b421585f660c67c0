import type { HlsConfig, LoaderResponse, LoadPolicy, RetryConfig } from 'hls.js'

/**
 * Nothing that can pass by itself is fatal: a restarting server refuses connections (code 0), answers 5xx for a while, or
 * holds a request too long. What has moved for good (404, 410) is decided by the engine, which looks again from the top.
 */
const passing: NonNullable<RetryConfig['shouldRetry']> = (policy, count, isTimeout, response, _usual) => {
  if (!policy || count >= policy.maxNumRetry) return false
  const code = response?.code ?? 0
  return isTimeout || code < 400 || code === 408 || code === 429 || code >= 500
}

function policy(firstByte_ms: number, whole_ms: number): LoadPolicy {
  const retry = (delay_ms: number): RetryConfig => ({
    maxNumRetry: 1000,
    retryDelayMs: delay_ms,
    maxRetryDelayMs: 3_000,
    backoff: 'exponential',
    shouldRetry: passing,
  })
  return {
    default: {
      maxTimeToFirstByteMs: firstByte_ms,
      maxLoadTimeMs: whole_ms,
      timeoutRetry: retry(0),
      errorRetry: retry(300),
    },
  }
}

/** Parts and segments: a slow link should change down, which hls.js decides; here only what failed is asked again. */
const MEDIA = policy(10_000, 20_000)
/** A blocking reload is answered within three target durations (9 s). */
const PLAYLIST = policy(12_000, 20_000)

const BANDWIDTH_KEY = 'streamer.bandwidth'

/**
 * Bits per second to begin with: what was measured on this device last time, or what a connection of the kind that the
 * browser tells carries at least. (Its `downlink` is a guess of its own until the page has loaded much.)
 */
export function bandwidthGuess(): number {
  if (slowLink()) return 600_000
  let known = 0
  try {
    known = Number(localStorage.getItem(BANDWIDTH_KEY) ?? 0)
  } catch {
    // Storage may be denied to embedded pages.
  }
  return known > 0 ? Math.min(Math.max(known * 0.8, 400_000), 12_000_000) : 3_500_000
}

/** Whether the browser takes the link for slow, or is asked to spare it. Not all browsers tell. */
export function slowLink(): boolean {
  const { connection } = navigator as { connection?: { effectiveType?: string; saveData?: boolean } }
  return connection?.saveData === true || (connection?.effectiveType ?? '4g') !== '4g'
}

export function rememberBandwidth(bits_per_s: number): void {
  if (!Number.isFinite(bits_per_s) || bits_per_s <= 0) return
  try {
    localStorage.setItem(BANDWIDTH_KEY, String(Math.round(bits_per_s)))
  } catch {
    // As above.
  }
}

export type Source =
  /** The public output at its live edge, with the usual window. */
  | 'live'
  /** The whole window, to go back in. */
  | 'dvr'
  /** Sound alone, in whole segments. */
  | 'audio'
  /** A recording, which may still grow, in whole segments. */
  | 'replay'

/** hls.js for one way of playing. */
export function hlsConfig(source: Source, start_s: number | null): Partial<HlsConfig> {
  const replay = source === 'replay'
  return {
    // Segments are CMAF already: there is nothing to transmux, and a worker would be one more script before the first frame.
    enableWorker: false,
    lowLatencyMode: source === 'live' || source === 'dvr',
    // The live position itself follows the playlist's PART-HOLD-BACK (sound alone: HOLD-BACK).
    // A recording is played at the viewer's own speed.
    maxLiveSyncPlaybackRate: replay ? 1 : source === 'audio' ? 1.05 : 1.08,
    // After a stall the distance grows a little instead of by a whole target duration for each.
    liveSyncOnStallIncrease: 0.5,
    startPosition: start_s ?? -1,
    startFragPrefetch: true,
    testBandwidth: false,
    abrEwmaDefaultEstimate: bandwidthGuess(),
    // The leanest picture first.
    ...(slowLink() ? { startLevel: 0 } : {}),
    abrEwmaFastLive: 2,
    abrEwmaSlowLive: 8,
    capLevelToPlayerSize: true,
    maxDevicePixelRatio: 2,
    backBufferLength: replay ? 60 : 20,
    maxBufferLength: replay || source === 'audio' ? 30 : 12,
    maxMaxBufferLength: replay ? 60 : 30,
    // Streams are continued over holes of a lost part by a seek, not waited for.
    nudgeMaxRetry: 10,
    appendErrorMaxRetry: 5,
    manifestLoadPolicy: policy(8_000, 15_000),
    playlistLoadPolicy: PLAYLIST,
    fragLoadPolicy: MEDIA,
  }
}

/** The HTTP status behind an error of hls.js; 0 where there was no answer. */
export function statusOf(response: LoaderResponse | undefined): number {
  return response?.code ?? 0
}
