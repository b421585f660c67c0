/**
 * Runs before the player's own code has arrived: asks for the multivariant playlist, so that hls.js finds it waiting
 * (see player/early.ts). Imports nothing, on purpose.
 */
const [, role, room] = location.pathname.split('/')
const asked = new URLSearchParams(location.search)
const { connection } = navigator as { connection?: { effectiveType?: string; saveData?: boolean } }
const slow = connection?.saveData === true || (connection?.effectiveType ?? '4g') !== '4g'
// The typeface is as much as a second of sound: the system's does.
if (slow) document.documentElement.classList.add('slow-link')

const text = (address: string | URL) =>
  fetch(address).then(
    (response) => (response.ok ? response.text() : null),
    () => null,
  )

/**
 * The first segments' headers into the browser's cache, of what a slow link begins with: hls.js asks for each only when it
 * has read what is before it, and each answer takes a while there.
 */
function loadHeaders(base: string, playlist: string): void {
  const pictures = [...playlist.matchAll(/^#EXT-X-STREAM-INF:BANDWIDTH=(\d+).*RESOLUTION=.*\n(.+)$/gm)]
  const least = pictures.sort(([, one], [, other]) => Number(one) - Number(other))[0]?.[2]
  const sound = /^#EXT-X-MEDIA:TYPE=AUDIO.*URI="([^"]+)"/m.exec(playlist)?.[1]
  for (const address of [least, sound]) {
    if (!address) continue
    const at = new URL(address, base)
    void text(at).then((listed) => {
      const header = [...(listed ?? '').matchAll(/#EXT-X-MAP:URI="([^"]+)"/g)].at(-1)?.[1]
      if (header) void fetch(new URL(header, at)).catch(() => undefined)
    })
  }
}

if (
  room &&
  (role === 'watch' || (role === 'embed' && asked.get('autoplay') !== '0')) &&
  asked.get('latency') !== 'lowest' &&
  !asked.has('poor')
) {
  const address = `/live/${encodeURIComponent(decodeURIComponent(room))}/index.m3u8`
  const answer = text(address)
  globalThis.streamerEarly = { address, asked_ms: performance.now(), text: answer }
  if (slow) void answer.then((playlist) => playlist && loadHeaders(new URL(address, location.href).href, playlist))
}

export {}
