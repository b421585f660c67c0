/**
 * Runs before the player's own code has arrived: asks for the multivariant playlist, so that hls.js finds it waiting
 * (see player/early.ts). Imports nothing, on purpose.
 */
const [, role, room] = location.pathname.split('/')
const asked = new URLSearchParams(location.search)
if (
  room &&
  (role === 'watch' || (role === 'embed' && asked.get('autoplay') !== '0')) &&
  asked.get('latency') !== 'lowest' &&
  !asked.has('poor')
) {
  const address = `/live/${encodeURIComponent(decodeURIComponent(room))}/index.m3u8`
  globalThis.streamerEarly = {
    address,
    asked_ms: performance.now(),
    text: fetch(address).then(
      (response) => (response.ok ? response.text() : null),
      () => null,
    ),
  }
}

export {}
