// What the publishers share: a clip's encoded frames in real time, and WHIP's two requests.
// Arguments of each: the endpoint, the token, the clip (tests/fakes/node_clients.py writes it).

import { readFileSync } from 'node:fs'

export const [endpoint, token, clip] = process.argv.slice(2)

/** Frames of the clip: { video, at_us, data }. */
export function frames() {
  const bytes = readFileSync(clip)
  const out = []
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at + 5)
    out.push({ video: bytes[at] === 1, at_us: bytes.readUInt32BE(at + 1), data: bytes.subarray(at + 9, at + 9 + size) })
    at += 9 + size
  }
  return out
}

export async function post(sdp, agent) {
  const headers = { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}`, 'User-Agent': agent }
  const response = await fetch(endpoint, { method: 'POST', headers, body: sdp })
  // OBS takes 201 alone, and needs the address of the resource.
  const location = response.headers.get('Location')
  if (response.status !== 201 || !location) throw new Error(`POST: ${response.status} ${await response.text()}`)
  return { answer: await response.text(), resource: new URL(location, endpoint) }
}

/** Calls send(frame) in real time, round after round, until SIGTERM; then deletes the resource. */
export async function play(resource, send, close) {
  let ended = false
  process.once('SIGTERM', () => (ended = true))
  const all = frames()
  const length_us = all.at(-1).at_us + 20_000
  const began = performance.now()
  for (let round = 0; !ended; round++) {
    for (const frame of all) {
      const at_us = round * length_us + frame.at_us
      const left = at_us / 1000 - (performance.now() - began)
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, left))
      if (ended) break
      send({ ...frame, at_us })
    }
  }
  const response = await fetch(resource, { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } })
  close()
  // OBS accepts no other status.
  process.exit(response.status === 200 ? 0 : 1)
}
