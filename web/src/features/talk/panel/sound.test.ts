import { expect, it } from 'vitest'
import { causeOf } from './sound'

it.each([
  [{ playing: false, muted: true, volume: 0 }, 'paused'],
  [{ playing: true, muted: true, volume: 0 }, 'muted'],
  [{ playing: true, muted: false, volume: 0.01 }, 'low'],
  [{ playing: true, muted: false, volume: 0.5 }, null],
] as const)('%j: %s', (audible, cause) => expect(causeOf(audible)).toBe(cause))
