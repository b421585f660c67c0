import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => {
  vi.useFakeTimers()
  vi.resetModules()
})
afterEach(() => void vi.useRealTimers())

async function asked() {
  const { freeLink, later } = await import('./later')
  const load = vi.fn(() => Promise.resolve('module'))
  const give = vi.fn()
  return { freeLink, load, give, stop: later(load, give) }
}

test('a module waits for the first picture, however long its page has been open', async () => {
  const { freeLink, load, give } = await asked()
  await vi.advanceTimersByTimeAsync(9_000)
  expect(load).not.toHaveBeenCalled()
  freeLink()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(give).toHaveBeenCalledExactlyOnceWith('module')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledOnce()
})

test('a picture that never comes is not waited for, and brings nothing twice', async () => {
  const { freeLink, load } = await asked()
  await vi.advanceTimersByTimeAsync(12_000)
  expect(load).toHaveBeenCalledOnce()
  freeLink()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledOnce()
})

test('what did not come is asked for again, until its page is left', async () => {
  const { freeLink, load, give, stop } = await asked()
  load.mockRejectedValue(new Error('no network'))
  freeLink()
  await vi.advanceTimersByTimeAsync(6_000)
  expect(load).toHaveBeenCalledTimes(2)
  stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(load).toHaveBeenCalledTimes(2)
  expect(give).not.toHaveBeenCalled()
})
