import { describe, expect, it } from 'vitest'
import {
  clockOf,
  doubtAbout,
  endMoments,
  minutesBack,
  flagsOf,
  isAsking,
  notBefore,
  runningOrder,
  startMoments,
  tapsOf,
} from './order'
import { MINUTE_MS, NINE_MS, RUN, running, session } from './samples'

describe('the running order', () => {
  it('is the venue’s day, which ends at four in the morning, and whatever runs', () => {
    const late = session('late', 15 * 60, 16 * 60) // midnight to one
    const tomorrow = session('tomorrow', 24 * 60, 25 * 60)
    const yesterday = session('yesterday', -24 * 60, -23 * 60)
    const stuck = running('stuck', -24 * 60, -23 * 60, -24 * 60)
    const all = [tomorrow, late, session('a', 0, 45), yesterday, stuck]
    expect(runningOrder(all, NINE_MS, 'Europe/Paris').map(({ id }) => id)).toEqual(['stuck', 'a', 'late'])
  })

  it('counts elapsed, left and over', () => {
    const on = running('a', 0, 45, 7)
    expect(clockOf(on, on.end_ms, NINE_MS + 37 * MINUTE_MS)).toMatchObject({
      elapsed_ms: 30 * MINUTE_MS,
      left_ms: 8 * MINUTE_MS,
      over_ms: 0,
    })
    expect(clockOf(on, on.end_ms, NINE_MS + 50 * MINUTE_MS)).toMatchObject({ left_ms: 0, over_ms: 5 * MINUTE_MS })
  })
})

describe('a late tap', () => {
  const now_ms = NINE_MS + 10 * MINUTE_MS

  it('offers one and three minutes ago and the first words', () => {
    const firstWords_ms = NINE_MS + 7 * MINUTE_MS + 12_000
    expect(startMoments({ now_ms, notBefore_ms: 0, firstWords_ms })).toEqual([
      { id: 'now', at_ms: null },
      { id: 'ago1', at_ms: now_ms - MINUTE_MS },
      { id: 'ago3', at_ms: now_ms - 3 * MINUTE_MS },
      { id: 'words', at_ms: firstWords_ms },
    ])
  })

  it('may mean any minute of the last thirty', () => {
    const at = (seconds: number, least_ms = 0) =>
      minutesBack(now_ms + seconds * 1000, least_ms).map((at_ms) => (at_ms - now_ms) / MINUTE_MS)
    // At 9:10:30: from 9:10 back to 8:41.
    expect(at(30)).toEqual(Array.from({ length: 30 }, (_, index) => 0 - index))
    expect(at(0)).toEqual(Array.from({ length: 29 }, (_, index) => -1 - index))
    expect(at(30, now_ms - 3 * MINUTE_MS)).toEqual([0, -1, -2])
    expect(at(30, now_ms + 5_000)).toEqual([])
  })

  it('offers nothing that lies in another session, or more than half an hour back', () => {
    const ids = (notBefore_ms: number, firstWords_ms: number | null) =>
      startMoments({ now_ms, notBefore_ms, firstWords_ms }).map(({ id }) => id)
    expect(ids(now_ms - 2 * MINUTE_MS, now_ms - 3 * MINUTE_MS)).toEqual(['now', 'ago1'])
    expect(ids(0, now_ms - 31 * MINUTE_MS)).toEqual(['now', 'ago1', 'ago3'])
    expect(ids(0, now_ms - 5000)).not.toContain('words')
  })

  it('cannot begin before the one before it ended, but may share its mark', () => {
    const before = session('a', 0, 45, { state: 'ended', started_at_ms: NINE_MS, ended_at_ms: NINE_MS + 600_000 })
    const next = session('b', 45, 90)
    expect(notBefore(next, [before, next])).toBe(NINE_MS + 600_000)
    const shared = running('b', 45, 90, 10)
    expect(notBefore(shared, [before, shared])).toBe(NINE_MS)
    expect(notBefore(next, [running('c', 0, 45, 5), next])).toBe(NINE_MS + 5 * MINUTE_MS)
  })

  it('ends where the picture stopped, if it did', () => {
    const facts = { now_ms, started_ms: NINE_MS, mediaStopped_ms: now_ms - 90_000 }
    expect(endMoments({ ...facts, mediaUp: true }).map(({ id }) => id)).toEqual(['now', 'ago1', 'ago3'])
    expect(endMoments({ ...facts, mediaUp: false }).at(-1)).toEqual({ id: 'stopped', at_ms: now_ms - 90_000 })
    expect(endMoments({ ...facts, mediaUp: false, started_ms: now_ms - 30_000 }).map(({ id }) => id)).toEqual(['now'])
  })
})

describe('what may be tapped', () => {
  const now_ms = NINE_MS + 10 * MINUTE_MS

  it('follows the session’s life and the grant', () => {
    const ahead = session('a', 20, 40)
    expect(tapsOf(ahead, [ahead], RUN, now_ms)).toEqual(['start', 'delay', 'cancel'])
    expect(tapsOf(ahead, [ahead], ['session.run'], now_ms)).toEqual(['start'])
    expect(tapsOf(session('p', 20, 40, { kind: 'break' }), [], RUN, now_ms)).toEqual(['delay', 'cancel'])
    expect(tapsOf(running('a', 0, 45, 0), [], RUN, now_ms)).toEqual(['end', 'extend', 'mark', 'delay'])
    expect(tapsOf(session('a', 0, 45, { state: 'cancelled' }), [], RUN, now_ms)).toEqual(['reopen'])
  })

  it('reopens for fifteen minutes, unless something else has been on since', () => {
    const ended = session('a', 0, 5, { state: 'ended', started_at_ms: NINE_MS, ended_at_ms: NINE_MS + 5 * MINUTE_MS })
    expect(tapsOf(ended, [ended], RUN, now_ms)).toEqual(['reopen'])
    expect(tapsOf(ended, [ended], RUN, now_ms + 15 * MINUTE_MS)).toEqual([])
    expect(tapsOf(ended, [ended, running('b', 5, 45, 6)], RUN, now_ms)).toEqual([])
  })

  it('asks about a session that is not the next one, or far too early', () => {
    const next = session('a', 15, 40)
    expect(doubtAbout(next, next, now_ms)).toBe('')
    expect(doubtAbout(session('b', 40, 60), next, now_ms)).toBe('not_next')
    const early = session('c', 60, 90)
    expect(doubtAbout(early, early, now_ms)).toBe('early')
  })

  it('puts a question from when the session is armed until it is answered', () => {
    const ask = { do_not_record: 'ask', do_not_stream: 'ask' }
    expect(isAsking(session('a', 15, 40, ask))).toBe(false)
    expect(isAsking(session('a', 15, 40, { ...ask, state: 'armed' }))).toBe(true)
    expect(isAsking(session('a', 15, 40, { ...ask, state: 'armed', record_answer: true }))).toBe(true)
    expect(isAsking(session('a', 0, 40, { ...ask, state: 'armed', record_answer: true, stream_answer: false }))).toBe(
      false,
    )
  })

  it('tells the flags, the strictest first, as they are after the answers', () => {
    expect(flagsOf(session('a', 0, 1, { visibility: 'private', do_not_record: 'yes', replay: 'never' }))).toEqual([
      'private',
      'not_recorded',
    ])
    expect(flagsOf(session('a', 0, 1, { do_not_stream: 'ask', do_not_record: 'ask' }))).toEqual([
      'ask_stream',
      'ask_record',
    ])
    expect(flagsOf(session('a', 0, 1, { do_not_stream: 'ask', stream_answer: false, replay: 'never' }))).toEqual([
      'not_streamed',
      'no_replay',
    ])
    expect(flagsOf(session('a', 0, 1, { do_not_stream: 'ask', stream_answer: true }))).toEqual([])
  })
})
