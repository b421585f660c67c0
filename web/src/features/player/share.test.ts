import { expect, it } from 'vitest'
import { placeOf } from './share'

const live = { unit: 'date', start_ms: 0, end_ms: 2_000_000, at_ms: 1_593_000 } as const
const recorded = { unit: 'span', start_ms: 0, end_ms: 900_000, at_ms: 593_000 } as const

it('a moment of what is live is told as its place in the replay that follows', () => {
  expect(placeOf(live, false, 1_000_000)).toBe(593_000)
  // Before the session, or in a room without one, there is no such place.
  expect(placeOf(live, false, 1_600_000)).toBe(null)
  expect(placeOf(live, false, null)).toBe(null)
})

it('a moment of a replay is where it is', () => {
  expect(placeOf(recorded, true, 1_000_000)).toBe(593_000)
  expect(placeOf({ ...recorded, at_ms: 900 }, true, null)).toBe(null)
  // While another source loads, the bar still shows the one before.
  expect(placeOf(live, true, 1_000_000)).toBe(null)
  expect(placeOf(null, true, null)).toBe(null)
})
