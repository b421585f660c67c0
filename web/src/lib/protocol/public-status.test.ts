import { expect, it } from 'vitest'
import type { Word } from './day'
import { type PublicStatus, publicStatusOf } from './public-status'
import type { RoomState } from './room'

it.each<[Word | null, RoomState, PublicStatus]>([
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
])('the director’s %s with an output that is %s is told as %s', (word, state, publicStatus) => {
  expect(publicStatusOf({ word, state, session: null })).toBe(publicStatus)
})
