/**
 * Session descriptions as text: what a browser's own offer and answer need for a room.
 * Pure functions; nothing here is handed to `setLocalDescription`, only to the wire and to `setRemoteDescription`.
 */

export interface OpusOptions {
  stereo: boolean
  /** Bits per second. */
  maxAverageBitrate: number
}

export interface IceCredentials {
  ufrag: string
  pwd: string
}

/** One candidate as `RTCPeerConnection` reports it. */
export interface LocalCandidate {
  candidate: string
  sdpMid: string | null
  usernameFragment?: string | null
}

const EOL = '\r\n'

function lines(sdp: string): string[] {
  return sdp.split(/\r\n|\n|\r/).filter((line) => line !== '')
}

/** Payload types of a codec, in the order in which they stand in the `rtpmap` lines. */
export function payloadTypes(sdp: string, codec: string): string[] {
  const found: string[] = []
  const pattern = new RegExp(`^a=rtpmap:(\\d+) ${codec}/`, 'i')
  for (const line of lines(sdp)) {
    const match = pattern.exec(line)
    if (match?.[1]) found.push(match[1])
  }
  return found
}

/**
 * Merges parameters into the `fmtp` line of each given payload type; adds the line after its `rtpmap` where it is missing.
 * `keep` leaves a parameter alone that the other side has set already.
 */
export function mergeFmtp(
  sdp: string,
  types: readonly string[],
  parameters: Readonly<Record<string, string | number>>,
  keep = false,
): string {
  if (types.length === 0) return sdp
  const result: string[] = []
  const all = lines(sdp)
  for (const line of all) {
    const fmtp = /^a=fmtp:(\d+) (.*)$/.exec(line)
    if (fmtp?.[1] && types.includes(fmtp[1])) {
      result.push(`a=fmtp:${fmtp[1]} ${mergeParameters(fmtp[2] ?? '', parameters, keep)}`)
      continue
    }
    result.push(line)
    const rtpmap = /^a=rtpmap:(\d+) /.exec(line)
    const type = rtpmap?.[1]
    if (type && types.includes(type) && !all.some((other) => other.startsWith(`a=fmtp:${type} `))) {
      result.push(`a=fmtp:${type} ${mergeParameters('', parameters, keep)}`)
    }
  }
  return result.join(EOL) + EOL
}

function mergeParameters(text: string, parameters: Readonly<Record<string, string | number>>, keep: boolean): string {
  const merged = new Map<string, string>()
  for (const item of text.split(';')) {
    const [name, ...value] = item.trim().split('=')
    if (name) merged.set(name, value.join('='))
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (!(keep && merged.has(name))) merged.set(name, String(value))
  }
  return [...merged].map(([name, value]) => (value === '' ? name : `${name}=${value}`)).join(';')
}

/**
 * Opus as a room needs it. RFC 7587 section 6.1: `stereo`, `useinbandfec` and `maxaveragebitrate` say what the side that
 * writes them likes to *receive*; `sprop-stereo` what it is likely to send. So the offer announces, and the answer,
 * changed in the same way before it is applied, is what makes the browser's encoder send it.
 */
export function withOpus(sdp: string, options: OpusOptions): string {
  return mergeFmtp(sdp, payloadTypes(sdp, 'opus'), {
    minptime: 10,
    useinbandfec: 1,
    usedtx: 0,
    stereo: options.stereo ? 1 : 0,
    'sprop-stereo': options.stereo ? 1 : 0,
    maxaveragebitrate: options.maxAverageBitrate,
  })
}

/**
 * Chromium begins at about 300 kbit/s and takes half a minute to climb; a lecture's first half minute would be a blur.
 * Values that the server has set stay as they are.
 */
export function withStartBitrate(answer: string, startKbps: number, maxKbps: number): string {
  const types = ['H264', 'VP8', 'VP9', 'AV1'].flatMap((codec) => payloadTypes(answer, codec))
  return mergeFmtp(answer, types, { 'x-google-start-bitrate': startKbps, 'x-google-max-bitrate': maxKbps }, true)
}

/** The first `ice-ufrag` and `ice-pwd` of a description; null where there are none. */
export function iceCredentials(sdp: string): IceCredentials | null {
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1]
  const pwd = /^a=ice-pwd:(\S+)/m.exec(sdp)?.[1]
  return ufrag && pwd ? { ufrag, pwd } : null
}

/** `m=` lines with their `a=mid`, in order. */
export function mediaSections(sdp: string): { mid: string; media: string }[] {
  const sections: { mid: string; media: string }[] = []
  let media: string | null = null
  for (const line of lines(sdp)) {
    if (line.startsWith('m=')) media = line
    else if (line.startsWith('a=mid:') && media !== null) {
      sections.push({ mid: line.slice('a=mid:'.length), media })
      media = null
    }
  }
  return sections
}

/**
 * The body of a trickle PATCH (RFC 8840 section 9, RFC 9725 section 4.3.1): credentials, then for each m-section a
 * pseudo m-line, its mid and its candidates. With BUNDLE the candidates of the first section serve for all.
 */
export function candidateFragment(offer: string, candidates: readonly LocalCandidate[], complete: boolean): string {
  const credentials = iceCredentials(offer)
  const result: string[] = []
  if (credentials) result.push(`a=ice-ufrag:${credentials.ufrag}`, `a=ice-pwd:${credentials.pwd}`)
  const sections = mediaSections(offer)
  const first = sections[0]?.mid ?? '0'
  for (const section of sections) {
    const own = candidates.filter(
      (candidate) => (candidate.sdpMid ?? first) === section.mid && candidate.candidate !== '',
    )
    const ends = complete && section.mid === first
    if (own.length === 0 && !ends) continue
    result.push(section.media, `a=mid:${section.mid}`)
    for (const candidate of own) result.push(`a=${candidate.candidate.replace(/^a=/, '')}`)
    if (ends) result.push('a=end-of-candidates')
  }
  return result.join(EOL) + EOL
}
