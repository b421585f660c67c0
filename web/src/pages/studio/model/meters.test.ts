import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Meters, TOGETHER_MS } from './meters'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const sound = (loudness: number) => ({ loudness, peak: loudness + 9 })

it('draws the readings of ten rooms five times a second, whenever they come, and never an older one', () => {
  const meters = new Meters()
  const drawn: { room: number; loudness: number | undefined; at_ms: number }[] = []
  const began_ms = Date.now()
  for (let room = 0; room < 10; room++) {
    meters.on(`room-${room}`, (read) => drawn.push({ room, loudness: read?.loudness, at_ms: Date.now() - began_ms }))
  }
  for (let turn = 0; turn < 8; turn++) {
    for (let room = 0; room < 10; room++) {
      meters.read(`room-${room}`, sound(-turn))
      vi.advanceTimersByTime(25)
    }
  }
  vi.advanceTimersByTime(TOGETHER_MS)
  expect(new Set(drawn.map(({ at_ms }) => at_ms)).size).toBeLessThanOrEqual(10)
  for (let room = 0; room < 10; room++) {
    const levels = drawn.filter((one) => one.room === room).map(({ loudness }) => loudness)
    expect(levels.at(-1)).toBe(-7)
    expect(levels).toEqual([...levels].sort((a, b) => Number(b) - Number(a)))
  }
})

it('draws nothing any more once it has stopped', () => {
  const meters = new Meters()
  const draw = vi.fn()
  meters.on('hall', draw)
  meters.read('hall', null)
  meters.stop()
  vi.runAllTimers()
  expect(draw).not.toHaveBeenCalled()
})
