// werift: WebRTC written in TypeScript. It packs nothing itself, so the RTP packets are made here.

import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters } from 'werift'
import { play, post } from './whip.mjs'

const MOST = 1180

const h264 = new RTCRtpCodecParameters({
  mimeType: 'video/H264',
  clockRate: 90_000,
  payloadType: 96,
  parameters: 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1',
  rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
})
const opus = new RTCRtpCodecParameters({ mimeType: 'audio/OPUS', clockRate: 48_000, channels: 2, payloadType: 111 })
const pc = new RTCPeerConnection({ codecs: { video: [h264], audio: [opus] }, iceServers: [] })
const tracks = { video: new MediaStreamTrack({ kind: 'video' }), audio: new MediaStreamTrack({ kind: 'audio' }) }
for (const track of Object.values(tracks)) pc.addTransceiver(track, { direction: 'sendonly' })
const connected = new Promise((resolve) =>
  pc.connectionStateChange.subscribe((state) => state === 'connected' && resolve()),
)
await pc.setLocalDescription(await pc.createOffer())
const { answer, resource } = await post(pc.localDescription.sdp, 'werift')
await pc.setRemoteDescription({ type: 'answer', sdp: answer })
await connected

const sequences = { video: 0, audio: 0 }

function packet(kind, type, timestamp, marker, payload) {
  const header = Buffer.alloc(12)
  header[0] = 0x80
  header[1] = (marker ? 0x80 : 0) | type
  header.writeUInt16BE(sequences[kind]++ & 0xffff, 2)
  header.writeUInt32BE(timestamp >>> 0, 4)
  header.writeUInt32BE(kind === 'video' ? 2222 : 1111, 8)
  tracks[kind].writeRtp(Buffer.concat([header, payload]))
}

/** NAL units of Annex B. */
function units(data) {
  const out = []
  for (let at = data.indexOf('000001', 0, 'hex'); at >= 0; ) {
    const next = data.indexOf('000001', at + 3, 'hex')
    let end = next < 0 ? data.length : next
    while (next >= 0 && data[end - 1] === 0) end--
    out.push(data.subarray(at + 3, end))
    at = next
  }
  return out
}

/** RFC 6184: single NAL units, and FU-A for larger ones. */
function payloads(unit) {
  if (unit.length <= MOST) return [unit]
  const out = []
  for (let at = 1; at < unit.length; at += MOST - 2) {
    const first = at === 1 ? 0x80 : 0
    const last = at + MOST - 2 >= unit.length ? 0x40 : 0
    const head = Buffer.from([(unit[0] & 0xe0) | 28, first | last | (unit[0] & 0x1f)])
    out.push(Buffer.concat([head, unit.subarray(at, at + MOST - 2)]))
  }
  return out
}

await play(
  resource,
  ({ video, at_us, data }) => {
    if (!video) return packet('audio', 111, Math.round((at_us * 48) / 1000), false, data)
    const all = units(data).flatMap(payloads)
    const timestamp = Math.round((at_us * 9) / 100)
    all.forEach((payload, index) => packet('video', 96, timestamp, index === all.length - 1, payload))
  },
  () => pc.close(),
)
