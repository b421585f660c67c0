import { afterEach, expect, it, vi } from 'vitest'
import { stayAwake } from './wake'

afterEach(() => vi.unstubAllGlobals())

it('keeps the screen lit, again after the page was hidden, until it is stopped', async () => {
  const seen = new EventTarget() as EventTarget & { hidden: boolean }
  seen.hidden = false
  let asked = 0
  let lit = 0
  const request = async () => {
    asked++
    lit++
    return { release: async () => void lit-- }
  }
  vi.stubGlobal('document', seen)
  vi.stubGlobal('navigator', { wakeLock: { request } })
  const stop = stayAwake()
  await vi.waitFor(() => expect(lit).toBe(1))
  // The browser takes it from a hidden page.
  lit = 0
  for (const hidden of [true, false]) {
    seen.hidden = hidden
    seen.dispatchEvent(new Event('visibilitychange'))
  }
  await vi.waitFor(() => expect([asked, lit]).toEqual([2, 1]))
  stop()
  await vi.waitFor(() => expect(lit).toBe(0))
  seen.dispatchEvent(new Event('visibilitychange'))
  expect(asked).toBe(2)
})
