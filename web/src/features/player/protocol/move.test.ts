import { describe, expect, it } from 'vitest'
import { type Move, type MoveInputs, moveOf } from './move'

const move = (changes: Partial<MoveInputs>, runner: Partial<MoveInputs['runner']> = {}): Move =>
  moveOf({
    state: 'live',
    before: 'live',
    whole: true,
    runner: { playing: 'hls', over: false, wanted: true, ...runner },
    ended: false,
    playback: 'playing',
    following: true,
    ...changes,
  })

describe('what is told of the room', () => {
  it('begins what is wanted, and leaves what plays alone', () => {
    expect(move({}, { playing: 'none' })).toBe('begin')
    expect(move({ state: 'slate' }, { playing: 'none' })).toBe('begin')
    expect(move({}, { playing: 'none', wanted: false })).toBe('stay')
    expect(move({})).toBe('stay')
    expect(move({ playback: 'stalled' })).toBe('stay')
  })

  it('lets a broadcast that is over play to its end', () => {
    expect(move({ state: 'off' }, { over: true })).toBe('stay')
    expect(move({ state: 'off', ended: true }, { over: true })).toBe('leave')
    expect(move({ state: 'off', playback: 'stalled' })).toBe('leave')
    expect(move({ state: 'off', before: null, playback: 'loading' })).toBe('stay')
    expect(move({ state: 'off', before: null, playback: 'stalled' }, { over: true })).toBe('leave')
    expect(move({ state: 'off' }, { playing: 'none' })).toBe('stay')
  })

  it('stops at once what goes on without us: a session in a room that shows another', () => {
    expect(move({ state: 'off', whole: false })).toBe('leave')
  })

  it('goes from a broadcast that is over to the next', () => {
    expect(move({ before: 'off' }, { over: true })).toBe('begin')
    expect(move({ ended: true }, { over: true })).toBe('begin')
    expect(move({ playback: 'failing' }, { over: true })).toBe('begin')
    expect(move({ playback: 'stalled' }, { over: true, wanted: false })).toBe('stay')
  })

  it('does not cut the end short by what was told before it, nor what somebody went back to', () => {
    expect(move({ state: 'slate' }, { over: true })).toBe('stay')
    expect(move({ before: 'off', following: false }, { over: true })).toBe('stay')
    expect(move({ before: 'off', following: false, ended: true }, { over: true })).toBe('begin')
  })

  it('takes no moment without an answer for an end', () => {
    expect(move({ before: 'off' })).toBe('stay')
  })
})
