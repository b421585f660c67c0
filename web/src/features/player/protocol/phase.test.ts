import { expect, it } from 'vitest'
import { type PhaseInputs, phaseOf } from './phase'

const base: PhaseInputs = { answer: null, state: null, seen: false, playback: 'idle' }
const status = (state: 'off' | 'slate' | 'live'): PhaseInputs['answer'] => ({
  kind: 'status',
  status: {
    id: 'turing',
    state,
    name: 'Turing',
    venue: null,
    title: null,
    next: null,
    word: null,
    session: null,
    following: null,
    reservedUntil_ms: null,
    hold: null,
    elsewhere: null,
    clockOffset_ms: null,
  },
})

it.each<[string, Partial<PhaseInputs>, string]>([
  ['nothing is known yet', { playback: 'loading' }, 'starting'],
  ['the picture moves before the API answered', { playback: 'playing' }, 'live'],
  ['the slate plays', { answer: status('slate'), state: 'slate', playback: 'playing' }, 'slate'],
  ['the room is off, and was not seen', { answer: status('off'), state: 'off' }, 'notStarted'],
  ['the room is off after it was seen', { answer: status('off'), state: 'off', seen: true }, 'ended'],
  [
    'what is buffered still plays though the room is off',
    { answer: status('off'), state: 'off', seen: true, playback: 'playing' },
    'live',
  ],
  ['a short stall', { answer: status('live'), state: 'live', seen: true, playback: 'stalled' }, 'live'],
  ['requests fail', { answer: status('live'), state: 'live', seen: true, playback: 'failing' }, 'reconnecting'],
  [
    'the server is away',
    { answer: { kind: 'unreachable' }, state: 'live', seen: true, playback: 'stalled' },
    'reconnecting',
  ],
  [
    'the server is away but the buffer still plays',
    { answer: { kind: 'unreachable' }, state: 'live', playback: 'playing' },
    'live',
  ],
  [
    'a recording plays, though the room is off',
    { answer: status('off'), state: 'off', playback: 'playing', replay: true },
    'replay',
  ],
  ['a recording loads', { answer: status('live'), state: 'live', playback: 'loading', replay: true }, 'starting'],
  ['a recording does not load', { state: 'live', playback: 'failing', replay: true }, 'reconnecting'],
  ['there is no such room', { answer: { kind: 'unknown' }, playback: 'idle' }, 'unknownRoom'],
])('%s', (_name, inputs, phase) => {
  expect(phaseOf({ ...base, ...inputs })).toBe(phase)
})
