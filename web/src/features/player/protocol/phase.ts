import type { RoomAnswer, RoomState } from '$lib/protocol/room'

/** The broadcast as a whole, as a viewer is told. */
export type Phase =
  | 'starting'
  | 'live'
  /** The slate is shown: the broadcast goes on, the programme is back in a moment. */
  | 'slate'
  | 'notStarted'
  | 'ended'
  /** The connection is lost; everything that can be done about it is being done. */
  | 'reconnecting'
  /** A recording is played. */
  | 'replay'
  | 'unknownRoom'

export interface PhaseInputs {
  answer: RoomAnswer | null
  /** The last state that an answer told, kept while the server is out of reach. */
  state: RoomState | null
  /** Whether a broadcast was seen since the page was opened. */
  seen: boolean
  playback: 'idle' | 'loading' | 'playing' | 'stalled' | 'failing'
  /** A recording is played instead of what is live. */
  replay?: boolean
}

/** One word for viewers out of what the API and the media element tell: what is seen to play outranks what is told. */
export function phaseOf({ answer, state, seen, playback, replay = false }: PhaseInputs): Phase {
  if (replay) return playback === 'failing' ? 'reconnecting' : playback === 'loading' ? 'starting' : 'replay'
  if (answer?.kind === 'unknown') return 'unknownRoom'
  if (playback === 'playing') return state === 'slate' ? 'slate' : 'live'
  if (answer?.kind === 'unreachable') return 'reconnecting'
  if (state === 'off') return seen ? 'ended' : 'notStarted'
  if (playback === 'failing') return 'reconnecting'
  if (playback === 'stalled') return state === 'slate' ? 'slate' : 'live'
  return 'starting'
}
