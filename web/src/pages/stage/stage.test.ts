import { describe, expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { SocketSchema } from '$lib/api/types'
import { readSession, type Session } from '$lib/protocol/day'
import { readCue, stillCounts } from './cue'
import { ServerClock } from './server-clock'
import { clockText, minutesLeft, timerOf } from './timer'
import { readAsked } from './view'

const NINE = Date.UTC(2026, 10, 24, 9)
const MINUTE = 60_000
const session = (fields: object = {}): Session =>
  readSession({
    id: 'a',
    room: 'turing',
    title: 'Keynote',
    state: 'on_air',
    visibility: 'public',
    start: NINE,
    end: NINE + 60 * MINUTE,
    started_at_ms: NINE + 10 * MINUTE,
    ...fields,
  })!

describe('the timer', () => {
  it('counts to the end, turns amber in the last five minutes, and goes on over it', () => {
    expect(timerOf(session(), NINE + 35 * MINUTE)).toEqual({
      tone: 'calm',
      left_ms: 25 * MINUTE,
      gone: 0.5,
      end_ms: NINE + 60 * MINUTE,
    })
    expect(timerOf(session(), NINE + 55 * MINUTE - 1)?.tone).toBe('calm')
    expect(timerOf(session(), NINE + 55 * MINUTE)?.tone).toBe('soon')
    expect(timerOf(session(), NINE + 60 * MINUTE)).toMatchObject({ tone: 'over', left_ms: 0, gone: 1 })
    expect(timerOf(session({ state: 'overrun' }), NINE + 63 * MINUTE)).toMatchObject({ left_ms: -3 * MINUTE, gone: 1 })
  })

  it('follows an extension, and does not run away from an overrun', () => {
    const longer = { expected_end: NINE + 70 * MINUTE, shown_end: NINE + 75 * MINUTE }
    expect(timerOf(session(longer), NINE + 65 * MINUTE)).toMatchObject({ tone: 'soon', left_ms: 5 * MINUTE })
    expect(timerOf(session(longer), NINE + 75 * MINUTE)).toMatchObject({ tone: 'over', left_ms: -5 * MINUTE })
  })

  it('runs for a session that is on air only', () => {
    for (const state of ['scheduled', 'armed', 'ended', 'cancelled'])
      expect(timerOf(session({ state }), NINE)).toBeNull()
    expect(timerOf(null, NINE)).toBeNull()
  })

  it('reads like a clock that stands at 0:00 at the moment itself', () => {
    expect([300_000, 299_001, 1, 0, -1, -999, -1_000, -61_500, -3_723_000].map(clockText)).toEqual([
      '5:00',
      '5:00',
      '0:01',
      '0:00',
      '0:00',
      '0:00',
      '0:01',
      '1:01',
      '1:02:03',
    ])
    expect([12 * MINUTE + 1, 12 * MINUTE, 1, 0, -MINUTE].map(minutesLeft)).toEqual([13, 12, 1, 0, 0])
  })
})

describe('the server’s clock', () => {
  it('is known best by the message that was on its way for the shortest time', () => {
    let here = 1_000
    const clock = new ServerClock(() => here)
    clock.told(50_900) // 100 ms on its way
    here = 2_000
    clock.told(51_980) // 20 ms
    here = 3_000
    clock.told(52_000) // a second late
    expect(clock.now_ms()).toBe(52_980)
    here = 4_000
    expect(clock.now_ms()).toBe(53_980)
  })

  it('forgets what it knew where a connection begins, and what is long ago', () => {
    let here = 0
    const clock = new ServerClock(() => here)
    clock.told(1_000_000)
    clock.restart(500_000)
    expect(clock.now_ms()).toBe(500_000)
    for (let batch = 1; batch <= 30; batch++) {
      here = batch
      clock.told(400_000 + batch)
    }
    expect(clock.now_ms()).toBe(400_030)
  })
})

describe('a cue', () => {
  const cue = readCue({ id: 'c', to: 'stage', label: 'Mo', text: 'Louder', at: '2026-11-24T09:12:00Z' })!

  it('is read as plain text, and not from anything else', () => {
    expect(cue).toEqual({ id: 'c', text: 'Louder', label: 'Mo', at_ms: NINE + 12 * MINUTE })
    for (const data of [null, {}, { id: 'c', removed: true }, { id: 'c', text: '', at: 5 }])
      expect(readCue(data)).toBeNull()
  })

  it('is read of older and newer servers', () => {
    const line: SocketSchema['CrewMessageSent'] = {
      id: 'c',
      to: 'stage',
      label: 'Mo',
      text: 'Louder',
      at: '2026-11-24T09:12:00Z',
    }
    survivesVersions(readCue, line, ['id', 'text', 'at'], ['to'])
  })

  it('is for whoever speaks when it is said', () => {
    expect(stillCounts(cue, session(), NINE + 50 * MINUTE)).toBe(true)
    expect(stillCounts(cue, session({ started_at_ms: NINE + 15 * MINUTE }), NINE + 50 * MINUTE)).toBe(true)
    expect(stillCounts(cue, session({ started_at_ms: NINE + 40 * MINUTE }), NINE + 50 * MINUTE)).toBe(false)
    expect(stillCounts(cue, null, NINE + 50 * MINUTE)).toBe(true)
    expect(stillCounts(cue, null, NINE + 180 * MINUTE)).toBe(false)
  })
})

describe('an address', () => {
  it('asks for a view, a look and a language', () => {
    expect(readAsked('?view=hall&transparent=1&lang=FR-ca&theme=light&code=cd5h8k&place=Nantes')).toEqual({
      view: 'hall',
      transparent: true,
      theme: 'light',
      language: 'fr',
      code: 'cd5h8k',
      place: 'Nantes',
    })
    expect(readAsked('?view=admin&transparent=0&lang=xx&theme=pink')).toEqual({
      view: null,
      transparent: false,
      theme: 'dark',
      language: null,
      code: '',
      place: '',
    })
  })
})
