import type { RoomState } from '$lib/protocol/room'
import type { PhaseInputs } from './phase'

/** A player's answer to the room's state. */
export type Move = 'stay' | 'begin' | 'leave'

export interface MoveInputs {
  state: RoomState
  /** The state that was told before; null at first. */
  before: RoomState | null
  /** The room's public output is played, which is there until the room is off; else whoever tells knows when it ends. */
  whole: boolean
  runner: {
    playing: string
    /** Its broadcast is over: nothing more will be added to what it plays. */
    over: boolean
    /** The viewer wants it to play. */
    wanted: boolean
  }
  /** All of it has been played. */
  ended: boolean
  playback: PhaseInputs['playback']
  following: boolean
}

/**
 * A broadcast that is over is played to its end, and then left: the next one is another broadcast, at the same address,
 * of which an engine that has seen the end never hears.
 */
export function moveOf({ state, before, whole, runner, ended, playback, following }: MoveInputs): Move {
  const running = runner.playing !== 'none'
  const plays = playback === 'playing' && !ended
  if (state === 'off') {
    if (!running) return 'stay'
    // At first the page asks for the broadcast before it knows the state: the engine meets the 404 itself.
    return !whole || (!plays && (before !== null || runner.over)) ? 'leave' : 'stay'
  }
  if (!runner.wanted) return 'stay'
  if (!running) return 'begin'
  // A viewer who went back plays on while there is something to play.
  return runner.over && (!plays || (before === 'off' && following)) ? 'begin' : 'stay'
}
