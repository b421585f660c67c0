import { beforeEach, describe, expect, it } from 'vitest'
import { type BeaconSample, EVERY_MS, PlaybackBeacon, type Report } from './beacon'

let beacon: PlaybackBeacon
let now_ms = 0

beforeEach(() => {
  beacon = new PlaybackBeacon(() => 0.5)
  now_ms = 1_000_000
})

/** Lets time pass in seconds. */
function pass(seconds: number, changes: Partial<BeaconSample> = {}): Report[] {
  const told: Report[] = []
  for (let second = 0; second < seconds; second++) {
    now_ms += 1_000
    const report = beacon.sample({
      now_ms,
      state: 'playing',
      error: null,
      buffer_ms: 1_234,
      bitrate_kbps: 1_499.6,
      throughput_kbps: 8_149,
      rate: 1,
      webrtc: false,
      ...changes,
    })
    if (report) told.push(report)
  }
  return told
}

describe('a player', () => {
  it('says once in half a minute that it plays, in keys of CMCD, and never who it is', () => {
    const told = pass(90)
    expect(told).toHaveLength(3)
    const playing = { v: 2, e: 't', sta: 'p', bs: false, ec: [], bl: 1_200, br: 1_500, mtp: 8_100 }
    expect(told[0]).toEqual({ ...playing, pr: 1, sf: 'h', st: 'l' })
  })

  it('tells a stall within seconds, once in half a minute, and the next one after that', () => {
    pass(40)
    const told = pass(3, { state: 'stalled', buffer_ms: 0 })
    expect(told).toMatchObject([{ e: 'ps', sta: 'r', bs: true, bl: 0 }])
    const later = [...pass(3), ...pass(3, { state: 'stalled' }), ...pass(60)]
    expect(later.filter(({ bs }) => bs)).toHaveLength(1)
    expect(later.filter(({ e }) => e === 't')).toHaveLength(3)
  })

  it('tells its errors', () => {
    pass(40)
    expect(pass(3, { state: 'failing', error: 'network' })).toMatchObject([{ e: 'e', sta: 'f', ec: ['network'] }])
    expect(pass(26, { state: 'failing', error: 'network' }).flatMap(({ ec }) => ec)).toEqual([])
    expect(pass(5, { state: 'failing', error: 'media' }).flatMap(({ ec }) => ec)).toEqual(['network', 'media'])
  })

  it('tells again what did not arrive, for half a minute', () => {
    pass(40)
    const [told] = pass(2, { state: 'stalled' })
    beacon.lost(now_ms, told!)
    expect(pass(5).filter(({ bs }) => bs)).toHaveLength(1)
    pass(60)
    beacon.lost(now_ms, told!)
    expect(pass(20).filter(({ bs }) => bs)).toEqual([])
  })

  it('takes no wait for the first picture for a stall', () => {
    expect(pass(20, { state: 'other' })).toEqual([])
    expect(pass(20, { state: 'stalled' })).toEqual([])
  })

  it('says nothing while it is to rest, or asked to be quiet', () => {
    pass(40)
    pass(1, { state: 'stalled' })
    beacon.rest()
    expect(pass(3, { state: 'other' })).toEqual([])
    pass(10)
    beacon.refused(now_ms, 60_000)
    expect(pass(50, { state: 'stalled' })).toEqual([])
    expect(pass(2 * (EVERY_MS / 1_000)).length).toBeGreaterThan(0)
  })

  it('leaves out what it does not know', () => {
    const unknown = { buffer_ms: null, bitrate_kbps: NaN, throughput_kbps: -1, webrtc: true }
    expect(pass(30, unknown)).toMatchObject([{ bl: null, br: null, mtp: null, sf: 'o' }])
  })
})
