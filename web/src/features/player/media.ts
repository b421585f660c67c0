/** Questions to media elements and addresses that do not depend on the engine. */

/** Seconds that are buffered past the playhead. */
export function bufferedAhead(media: HTMLMediaElement): number {
  const { buffered, currentTime } = media
  for (let index = 0; index < buffered.length; index++) {
    if (buffered.start(index) <= currentTime + 0.1 && buffered.end(index) > currentTime) {
      return buffered.end(index) - currentTime
    }
  }
  return 0
}

/** The part of the element's own timeline that can be played, in seconds; null while there is none. */
export function seekableRange(media: HTMLMediaElement): { start_s: number; end_s: number } | null {
  const { seekable } = media
  if (seekable.length === 0) return null
  const start_s = seekable.start(0)
  const end_s = seekable.end(seekable.length - 1)
  return Number.isFinite(end_s) && end_s > start_s ? { start_s, end_s } : null
}

/** The text behind an address; null for 404. Other failures are errors. */
export async function fetchText(address: string): Promise<string | null> {
  const response = await fetch(address, { signal: AbortSignal.timeout(10_000) })
  if (response.status === 404) return null
  if (!response.ok) throw new Error(`status ${response.status}`)
  return await response.text()
}
