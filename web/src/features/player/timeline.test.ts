import { expect, it } from 'vitest'
import { beforeStart, liveTimeline } from './timeline'

const playhead = { at_ms: 5_000, edge_ms: 9_000, start_ms: 2_000, behind_s: 1 }

it('goes from the oldest to the newest media that can be played', () => {
  expect(liveTimeline(playhead, null, null)).toEqual({ unit: 'date', start_ms: 2_000, end_ms: 9_000, at_ms: 5_000 })
  expect(liveTimeline(playhead, 500, null)).toMatchObject({ start_ms: 500 })
  expect(liveTimeline(playhead, 3_000, null)).toMatchObject({ start_ms: 2_000 })
})

it('ends no earlier than the picture, and shows where the viewer wants to be', () => {
  expect(liveTimeline({ ...playhead, at_ms: 9_500 }, null, null)).toMatchObject({ end_ms: 9_500 })
  expect(liveTimeline(playhead, null, 2_500)).toMatchObject({ at_ms: 2_500 })
})

it('is none while a time is unknown', () => {
  for (const name of ['at_ms', 'edge_ms', 'start_ms'])
    expect(liveTimeline({ ...playhead, [name]: null }, 0, null)).toBeNull()
})

it('goes on before the loaded playlist where keys lead there', () => {
  // Three seconds into it; the element's zero is its start.
  expect(beforeStart(playhead, 0, 3)).toBe(-5_000)
  expect(beforeStart(playhead, -7, 3)).toBe(-5_000)
  expect(beforeStart(playhead, 90, 100), 'the playlist has moved on since').toBe(-5_000)
  expect(beforeStart({ ...playhead, at_ms: 60_000 }, 90, 100)).toBeNull()
  expect(beforeStart(playhead, 13, 3), 'forwards').toBeNull()
  expect(beforeStart({ ...playhead, start_ms: null }, 0, 3)).toBeNull()
})
