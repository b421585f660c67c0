import { expect, it } from 'vitest'
import type { Word } from './day'
import { type Face, faceOf } from './face'
import type { RoomState } from './room'

it.each<[Word | null, RoomState, Face]>([
  ['on_air', 'live', 'live'],
  ['overrun', 'live', 'live'],
  ['on_air', 'slate', 'soon'],
  ['on_air', 'off', 'off'],
  ['paused', 'slate', 'soon'],
  ['hold', 'live', 'hold'],
  ['reserved', 'live', 'reserved'],
  ['not_streamed', 'slate', 'notStreamed'],
  ['before', 'slate', 'before'],
  ['before', 'off', 'before'],
  ['between', 'live', 'live'],
  ['between', 'slate', 'between'],
  ['between', 'off', 'off'],
  ['free', 'slate', 'off'],
  ['free', 'off', 'off'],
  [null, 'live', 'live'],
  [null, 'slate', 'soon'],
  [null, 'off', 'off'],
])('the director’s %s with an output that is %s is told as %s', (word, state, face) => {
  expect(faceOf({ word, state, session: null })).toBe(face)
})
