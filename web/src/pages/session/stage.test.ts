import { describe, expect, it } from 'vitest'
import { readSession, type Session } from '$lib/protocol/day'
import { paceOf, type Stage, stageOf } from './stage'

const START = Date.UTC(2026, 10, 24, 9)
const END = Date.UTC(2026, 10, 24, 10)
const session = (fields: object = {}): Session =>
  readSession({
    id: 'a',
    room: 'turing',
    title: 'Keynote',
    state: 'scheduled',
    visibility: 'public',
    start: '2026-11-24T09:00:00Z',
    end: '2026-11-24T10:00:00Z',
    ...fields,
  })!
const ended = (fields: object = {}) => session({ state: 'ended', ended_at_ms: END, ...fields })
const CLOSED = { visibility: 'private', key: 'k', live_url: '/live/turing/~k/index.m3u8' }
const HOLD = { hold: { message: 'Fire', since_ms: 0, until_ms: null }, word: 'hold' } as const

describe('the stage', () => {
  it.each<[string, Session, number, Stage]>([
    ['is a countdown before its time', session(), START - 1, 'before'],
    ['counts to when it is really thought to begin', session({ shown_start: '2026-11-24T09:10:00Z' }), START, 'before'],
    ['is none without a room, whenever that is', session({ room: null }), START - 1, 'venue'],
    ['tells that it is cancelled', session({ room: null, state: 'cancelled' }), END + 1, 'cancelled'],
    ['waits once its time has come', session({ state: 'armed' }), START, 'due'],
    ['is live on air', session({ state: 'on_air' }), START, 'live'],
    ['is live in its overrun', session({ state: 'overrun' }), END + 1, 'live'],
    [
      'tells that it takes place in the room only',
      session({ state: 'on_air', do_not_stream: 'yes' }),
      START,
      'notStreamed',
    ],
    [
      'is dark while nobody said yes',
      session({ ...CLOSED, state: 'on_air', do_not_stream: 'ask' }),
      START,
      'notStreamed',
    ],
    ['is off', session({ state: 'cancelled' }), START, 'cancelled'],
    ['is the replay at once', ended({ replay_url: '/replay/a/index.m3u8' }), END, 'replay'],
    ['waits a moment for the replay', ended(), END + 5_000, 'processing'],
    ['does not wait for ever', ended(), END + 600_000, 'unpublished'],
    ['tells of the review', ended({ replay: 'after_review' }), END, 'review'],
    ['tells of the review where somebody has to say yes', ended({ do_not_record: 'ask' }), END, 'review'],
    ['tells that it was not recorded', ended({ do_not_record: 'yes' }), END, 'never'],
    ['tells that there will be none', ended({ replay: 'never' }), END, 'never'],
  ])('%s', (_name, which, now_ms, stage) => {
    expect(stageOf(which, null, null, now_ms)).toBe(stage)
  })

  it('obeys the room where it alone knows', () => {
    const asked = session({ state: 'on_air', do_not_stream: 'ask' })
    expect(stageOf(asked, { hold: null, word: 'not_streamed' }, null, START)).toBe('notStreamed')
    expect(stageOf(asked, { hold: null, word: 'on_air' }, null, START)).toBe('live')
    expect(stageOf(session({ state: 'on_air' }), HOLD, null, START)).toBe('hold')
    expect(stageOf(session(), HOLD, null, START - 1)).toBe('before')
  })

  it('is the replay for those who may see it before others', () => {
    expect(stageOf(ended({ replay: 'after_review' }), null, '/replay/a/e1/index.m3u8', END)).toBe('replay')
  })
})

it('asks more often the nearer the start is', () => {
  const far = paceOf(session(), 'before', START - 7_200_000)
  const near = paceOf(session(), 'before', START - 60_000)
  expect(far[0]).toBeGreaterThan(near[1])
  expect(paceOf(null, 'due', START)[1]).toBeLessThan(10_000)
})
