/** Figures of the upload, out of two `getStats` reports. Pure: reports are read as plain records. */

export interface OutgoingStats {
  /** Monotonic time of the report, ms. */
  atMs: number
  codec: string
  width: number
  height: number
  framesPerSecond: number
  /** Bits per second since the report before; null with the first. */
  videoBitrate: number | null
  audioBitrate: number | null
  /** The bandwidth that the congestion control assumes, bits per second. */
  availableBitrate: number | null
  limitation: 'none' | 'bandwidth' | 'cpu' | 'other' | ''
  encoder: string
  roundTripMs: number | null
  /** Share of packets lost on the way out since the report before, 0..1. */
  loss: number | null
  /** Frames that came from the source but were not encoded, since the report before. */
  framesDropped: number | null
  /** True while something comes back from the server: STUN answers, RTCP. */
  heardFrom: boolean
  counters: Counters
}

interface Counters {
  videoBytes: number
  audioBytes: number
  packets: number
  lost: number
  sourceFrames: number
  encodedFrames: number
  received: number
}

type Entry = Readonly<Record<string, unknown>>

const number = (entry: Entry | undefined, name: string): number | null => {
  const value = entry?.[name]
  return typeof value === 'number' ? value : null
}

/** `report`: the values of an `RTCStatsReport`. */
export function readStats(report: Iterable<Entry>, atMs: number, before: OutgoingStats | null): OutgoingStats {
  const entries = [...report]
  const byId = new Map(entries.map((entry) => [entry['id'], entry]))
  const find = (type: string, kind: string): Entry | undefined =>
    entries.find((entry) => entry['type'] === type && entry['kind'] === kind)
  const video = find('outbound-rtp', 'video')
  const audio = find('outbound-rtp', 'audio')
  const source = byId.get(video?.['mediaSourceId'])
  const remotes = entries.filter((entry) => entry['type'] === 'remote-inbound-rtp')
  const transport = entries.find((entry) => entry['type'] === 'transport')
  const pair =
    byId.get(transport?.['selectedCandidatePairId']) ??
    // Firefox has no transport entry.
    entries.find(
      (entry) => entry['type'] === 'candidate-pair' && entry['nominated'] === true && entry['state'] === 'succeeded',
    )

  const counters: Counters = {
    videoBytes: number(video, 'bytesSent') ?? 0,
    audioBytes: number(audio, 'bytesSent') ?? 0,
    packets: (number(video, 'packetsSent') ?? 0) + (number(audio, 'packetsSent') ?? 0),
    lost: remotes.reduce((sum, entry) => sum + Math.max(0, number(entry, 'packetsLost') ?? 0), 0),
    sourceFrames: number(source, 'frames') ?? 0,
    encodedFrames: number(video, 'framesEncoded') ?? 0,
    received: (number(pair, 'bytesReceived') ?? 0) + (number(pair, 'responsesReceived') ?? 0),
  }
  const seconds = before ? (atMs - before.atMs) / 1000 : 0
  const rate = (name: 'videoBytes' | 'audioBytes'): number | null =>
    before && seconds > 0 ? Math.max(0, ((counters[name] - before.counters[name]) * 8) / seconds) : null
  const sent = before ? counters.packets - before.counters.packets : 0
  const lost = before ? counters.lost - before.counters.lost : 0
  const dropped = before
    ? counters.sourceFrames - before.counters.sourceFrames - (counters.encodedFrames - before.counters.encodedFrames)
    : 0
  const remoteVideo = remotes.find((entry) => entry['kind'] === 'video')
  const roundTrip = number(pair, 'currentRoundTripTime') ?? number(remoteVideo, 'roundTripTime')
  const limitation = video?.['qualityLimitationReason']
  const mime = byId.get(video?.['codecId'])?.['mimeType']

  return {
    atMs,
    codec: typeof mime === 'string' ? mime.replace(/^video\//, '') : '',
    width: number(video, 'frameWidth') ?? 0,
    height: number(video, 'frameHeight') ?? 0,
    framesPerSecond: Math.round(number(video, 'framesPerSecond') ?? 0),
    videoBitrate: rate('videoBytes'),
    audioBitrate: rate('audioBytes'),
    availableBitrate: number(pair, 'availableOutgoingBitrate'),
    limitation:
      limitation === 'none' || limitation === 'bandwidth' || limitation === 'cpu' || limitation === 'other'
        ? limitation
        : '',
    encoder: typeof video?.['encoderImplementation'] === 'string' ? video['encoderImplementation'] : '',
    roundTripMs: roundTrip === null ? null : Math.round(roundTrip * 1000),
    loss: before && sent > 0 ? Math.min(1, Math.max(0, lost / sent)) : null,
    // One or two frames are always under way in the encoder.
    framesDropped: before && counters.sourceFrames > 0 ? Math.max(0, dropped) : null,
    heardFrom: before === null || counters.received !== before.counters.received,
    counters,
  }
}
