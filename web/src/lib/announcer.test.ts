import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Announcer } from '$lib/announcer'

let said: string[]
let announcer: Announcer

beforeEach(() => {
  vi.useFakeTimers()
  said = []
  announcer = new Announcer(
    (text) => said.push(text),
    3000,
    () => Date.now(),
  )
})
afterEach(() => vi.useRealTimers())

it('says the first words at once and then waits three seconds', () => {
  announcer.announce('live')
  announcer.announce('lost')
  expect(said).toEqual(['live'])
  vi.advanceTimersByTime(2999)
  expect(said).toEqual(['live'])
  vi.advanceTimersByTime(1)
  expect(said).toEqual(['live', 'lost'])
})

it('says only the last of what came while it waited', () => {
  for (const text of ['live', 'lost', 'slate', 'ended']) announcer.announce(text)
  vi.advanceTimersByTime(10_000)
  expect(said).toEqual(['live', 'ended'])
})

it('keeps quiet when things are back as they were said', () => {
  announcer.announce('live')
  announcer.announce('lost')
  announcer.announce('live')
  vi.advanceTimersByTime(10_000)
  expect(said).toEqual(['live'])
})

it('says nothing after it was closed', () => {
  announcer.announce('live')
  announcer.announce('lost')
  announcer.close()
  vi.advanceTimersByTime(10_000)
  expect(said).toEqual(['live'])
})
