import { describe, expect, it } from 'vitest'
import { UploadWatch } from './advice'
import { type OutgoingStats, readStats } from './stats'

const report = (seconds: number, extra: Record<string, unknown> = {}) => [
  {
    id: 'v',
    type: 'outbound-rtp',
    kind: 'video',
    codecId: 'c',
    mediaSourceId: 's',
    bytesSent: 500_000 * seconds,
    packetsSent: 400 * seconds,
    framesEncoded: 28 * seconds,
    frameWidth: 1920,
    frameHeight: 1080,
    framesPerSecond: 28,
    qualityLimitationReason: 'none',
  },
  { id: 'a', type: 'outbound-rtp', kind: 'audio', bytesSent: 8_000 * seconds, packetsSent: 50 * seconds },
  { id: 's', type: 'media-source', kind: 'video', frames: 30 * seconds },
  { id: 'c', type: 'codec', mimeType: 'video/H264' },
  { id: 'r', type: 'remote-inbound-rtp', kind: 'video', packetsLost: 9 * seconds, roundTripTime: 0.02 },
  { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
  {
    id: 'p',
    type: 'candidate-pair',
    bytesReceived: 100 * seconds,
    responsesReceived: seconds,
    currentRoundTripTime: 0.015,
    ...extra,
  },
]

describe('outgoing statistics', () => {
  it('are rates between two reports', () => {
    const first = readStats(report(1), 1000, null)
    expect(first).toMatchObject({ videoBitrate: null, loss: null, codec: 'H264', width: 1920, roundTripMs: 15 })
    const second = readStats(report(2), 2000, first)
    expect(second).toMatchObject({ videoBitrate: 4_000_000, audioBitrate: 64_000, framesDropped: 2, heardFrom: true })
    expect(second.loss).toBeCloseTo(0.02)
  })

  it('tell when the server has gone silent', () => {
    const first = readStats(report(1), 1000, null)
    const second = readStats(report(2, { bytesReceived: 100, responsesReceived: 1 }), 2000, first)
    expect(second.heardFrom).toBe(false)
  })
})

describe('advice about the upload', () => {
  const at = (seconds: number, change: Partial<OutgoingStats>): OutgoingStats => ({
    ...readStats(report(1), seconds * 1000, null),
    ...change,
  })

  it('comes after five seconds below what the picture needs, and goes five seconds after', () => {
    const watch = new UploadWatch({ neededBitrate: () => 2_000_000, holdMs: 5000 })
    for (let second = 0; second < 5; second++) watch.take(at(second, { availableBitrate: 900_000 }))
    expect(watch.advice).toEqual([])
    watch.take(at(5, { availableBitrate: 900_000 }))
    expect(watch.advice).toEqual(['upload_weak'])
    watch.take(at(6, { availableBitrate: 4_000_000 }))
    expect(watch.advice).toEqual(['upload_weak'])
    watch.take(at(11, { availableBitrate: 4_000_000 }))
    expect(watch.advice).toEqual([])
  })

  it('goes by the picture that is sent now', () => {
    let needed = 4_000_000
    const watch = new UploadWatch({ neededBitrate: () => needed, holdMs: 0 })
    watch.take(at(1, { availableBitrate: 2_000_000 }))
    expect(watch.advice).toEqual(['upload_weak'])
    needed = 1_500_000
    watch.take(at(2, { availableBitrate: 2_000_000 }))
    expect(watch.advice).toEqual([])
  })

  it('measures how long the server has been silent', () => {
    const watch = new UploadWatch({ neededBitrate: () => 1, holdMs: 5000 })
    watch.take(at(1, { heardFrom: true }))
    watch.take(at(2, { heardFrom: false }))
    watch.take(at(6, { heardFrom: false }))
    expect(watch.silentMs(6000)).toBe(4000)
    watch.take(at(7, { heardFrom: true }))
    expect(watch.silentMs(7000)).toBe(0)
  })
})
