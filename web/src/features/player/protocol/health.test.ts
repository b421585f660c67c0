import { beforeEach, describe, expect, it } from 'vitest'
import { PlaybackHealth, type Remedy } from './health'

let health: PlaybackHealth
let now_ms: number
let position_s: number

beforeEach(() => {
  health = new PlaybackHealth()
  now_ms = 0
  position_s = 0
  health.restarted(now_ms)
})

/** Lets time pass in steps of half a second; the position moves with it or stands. */
function pass(duration_ms: number, moves: boolean, { ahead_s = 0, wanted = true } = {}): Remedy[] {
  const remedies: Remedy[] = []
  for (const end_ms = now_ms + duration_ms; now_ms < end_ms;) {
    now_ms += 500
    if (moves) position_s += 0.5
    const remedy = health.sample({ now_ms, position_s, wanted, ahead_s })
    if (remedy !== 'none') remedies.push(remedy)
  }
  return remedies
}

describe('the watchdog', () => {
  it('lets playback that moves alone', () => {
    expect(pass(120_000, true)).toEqual([])
    expect(health.poor(now_ms)).toBe(false)
  })

  it('goes from the mildest remedy to the strongest, and round again', () => {
    pass(10_000, true)
    expect(pass(16_000, false)).toEqual(['jump', 'recover', 'reload'])
    expect(pass(16_000, false)).toEqual(['jump', 'recover', 'reload'])
  })

  it('loses patience sooner when there is media to play', () => {
    pass(10_000, true)
    expect(pass(3_000, false, { ahead_s: 5 })).toEqual(['jump'])
  })

  it('leaves a paused player in peace', () => {
    pass(10_000, true)
    expect(pass(60_000, false, { wanted: false })).toEqual([])
    expect(health.stalled).toBe(false)
  })

  it('begins anew once the position moved', () => {
    pass(10_000, true)
    expect(pass(5_000, false)).toEqual(['jump'])
    pass(1_000, true)
    expect(pass(5_000, false)).toEqual(['jump'])
  })

  it('does not take the seek of a remedy for playback', () => {
    pass(10_000, true)
    expect(pass(5_000, false)).toEqual(['jump'])
    position_s += 5
    expect(health.stalled).toBe(true)
    expect(pass(6_000, false)).toEqual(['recover'])
    expect(health.flowing).toBe(false)
  })

  it('does not take for playback what is played again up to where it stood', () => {
    pass(10_000, true)
    const remedies: Remedy[] = []
    const end_s = position_s
    for (let round = 0; round < 4; round++) {
      const found = pass(4_500, false)
      remedies.push(...found)
      if (found.includes('jump')) position_s = end_s - 0.7
      now_ms += 500
      health.sample({ now_ms, position_s: (position_s += 0.35), wanted: true, ahead_s: 0 })
      now_ms += 500
      health.sample({ now_ms, position_s: (position_s = end_s), wanted: true, ahead_s: 0 })
    }
    expect(remedies).toEqual(['jump', 'recover', 'reload', 'jump'])
  })

  it('knows a machine that slept from a stall', () => {
    pass(10_000, true)
    now_ms += 600_000
    expect(pass(500, false)).toEqual([])
    expect(health.takeWoken()).toBe(true)
    expect(health.takeWoken()).toBe(false)
  })
})

describe('a poor link', () => {
  it('is one with three stalls in a minute', () => {
    pass(10_000, true)
    for (let stall = 0; stall < 2; stall++) {
      pass(1_500, false)
      pass(5_000, true)
    }
    expect(health.poor(now_ms)).toBe(false)
    pass(1_500, false)
    expect(health.poor(now_ms)).toBe(true)
  })

  it('is one that stood still for long', () => {
    pass(10_000, true)
    pass(13_000, false)
    expect(health.poor(now_ms)).toBe(true)
  })

  it('is forgotten after a good minute, and when another way was chosen', () => {
    pass(10_000, true)
    pass(13_000, false)
    health.forgive()
    expect(health.poor(now_ms)).toBe(false)
    pass(2_000, true)
    pass(13_000, false)
    pass(61_000, true)
    expect(health.poor(now_ms)).toBe(false)
  })

  it('is not the wait for the first picture', () => {
    pass(4_500, false)
    pass(5_000, true)
    expect(health.poor(now_ms)).toBe(false)
  })
})
