/** The little that the player itself reads from playlists; the rest is hls.js's work. Pure. */

/** The span of a media playlist, in UTC ms. */
export interface PlaylistWindow {
  start_ms: number
  end_ms: number
  /** Segments in order: [program date, position from the playlist's start in s]. */
  readonly segments: readonly (readonly [date_ms: number, offset_s: number])[]
}

/** The first value of an attribute in an attribute list, quotes taken off (RFC 8216bis section 4.2). */
export function attribute(line: string, name: string): string | null {
  const found = new RegExp(`(?:^|[:,])${name}=(?:"([^"]*)"|([^",]*))`).exec(line)
  return found ? (found[1] ?? found[2] ?? null) : null
}

/**
 * The address of the sound alone: the leanest variant without a picture, else the AUDIO group's default rendition.
 *
 * @param base the multivariant playlist's own address, which the answer is resolved against
 */
export function audioPlaylist(multivariant: string, base: string): string | null {
  const lines = multivariant.split(/\r?\n/)
  let leanest: { uri: string; bandwidth: number } | null = null
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('#EXT-X-STREAM-INF:') || attribute(line, 'RESOLUTION')) continue
    if (!/^(mp4a|opus|ac-3)/i.test(attribute(line, 'CODECS') ?? '')) continue
    const bandwidth = Number(attribute(line, 'BANDWIDTH') ?? Infinity)
    const uri = lines.slice(index + 1).find((other) => other !== '' && !other.startsWith('#'))
    if (uri && (!leanest || bandwidth < leanest.bandwidth)) leanest = { uri, bandwidth }
  }
  if (leanest) return new URL(leanest.uri, base).href
  const media = lines.filter((line) => line.startsWith('#EXT-X-MEDIA:') && attribute(line, 'TYPE') === 'AUDIO')
  const preferred = media.find((line) => attribute(line, 'DEFAULT') === 'YES') ?? media[0]
  const uri = preferred && attribute(preferred, 'URI')
  return uri ? new URL(uri, base).href : null
}

/** Reads what a media playlist covers; null where it has no segment or no program date. */
export function playlistWindow(playlist: string): PlaylistWindow | null {
  const segments: [number, number][] = []
  let date_ms: number | null = null
  let offset_s = 0
  let duration_s = 0
  for (const line of playlist.split(/\r?\n/)) {
    if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) {
      const parsed = Date.parse(line.slice('#EXT-X-PROGRAM-DATE-TIME:'.length))
      if (!Number.isNaN(parsed)) date_ms = parsed
    } else if (line.startsWith('#EXTINF:')) {
      duration_s = Number.parseFloat(line.slice('#EXTINF:'.length))
    } else if (line !== '' && !line.startsWith('#')) {
      if (date_ms !== null) segments.push([date_ms, offset_s])
      offset_s += duration_s
      if (date_ms !== null) date_ms += duration_s * 1000
      duration_s = 0
    }
  }
  const first = segments[0]
  if (!first || date_ms === null) return null
  return { start_ms: first[0], end_ms: date_ms, segments }
}

/**
 * Where a date lies from the playlist's start, in s; dates outside are brought to the nearest end.
 *
 * The first segment is passed over: by rounding it may begin some µs before zero, and a media element drops a picture before
 * zero with all that depend on it (Media Source Extensions, appendWindowStart).
 */
export function offsetOf(window: PlaylistWindow, date_ms: number): number {
  let low = Math.min(1, window.segments.length - 1)
  let high = window.segments.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((window.segments[middle]?.[0] ?? 0) <= date_ms) low = middle
    else high = middle - 1
  }
  const [start_ms, offset_s] = window.segments[low] ?? [window.start_ms, 0]
  const until_ms = window.segments[low + 1]?.[0] ?? window.end_ms
  return offset_s + Math.max(0, Math.min(date_ms, until_ms) - start_ms) / 1000
}

/** A longer gap is a cut. */
const LONGEST_GAP_S = 3

/**
 * A recording's media playlist with small gaps counted in the durations before them. Where an overloaded encoder lost
 * frames, the picture's durations add up to less than the sound's; hls.js, which aligns the two playlists of a recording that
 * still grows at their last discontinuity, would then look for the sound of the first picture seconds away from it.
 * Dates tell the truth: each segment lasts until the next one's begins.
 */
export function withGapsClosed(playlist: string): string {
  const lines = playlist.split('\n')
  let date_ms = NaN
  let extinf = -1
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) {
      const next_ms = Date.parse(line.slice(line.indexOf(':') + 1))
      const duration_s = Number.parseFloat((lines[extinf] ?? '').slice('#EXTINF:'.length))
      const gap_s = (next_ms - date_ms) / 1000 - duration_s
      if (gap_s > 0.002 && gap_s < LONGEST_GAP_S) lines[extinf] = `#EXTINF:${(duration_s + gap_s).toFixed(5)},`
      date_ms = next_ms
    } else if (line.startsWith('#EXTINF:')) {
      extinf = index
    }
  }
  return lines.join('\n')
}
