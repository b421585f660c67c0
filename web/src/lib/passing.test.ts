import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Passing } from './passing.svelte'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('goes by itself, and a second one has its whole time', () => {
  const marked = new Passing<string>(2_000)
  marked.show('a')
  vi.advanceTimersByTime(1_500)
  marked.show('b')
  vi.advanceTimersByTime(1_500)
  expect(marked.value).toBe('b')
  vi.advanceTimersByTime(500)
  expect(marked.value).toBeNull()
})

it('leaves no timer behind', () => {
  const marked = new Passing<string>(2_000)
  marked.show('a')
  marked.clear()
  expect(marked.value).toBeNull()
  expect(vi.getTimerCount()).toBe(0)
})
