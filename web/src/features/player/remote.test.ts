import { describe, expect, it, vi } from 'vitest'
import { remoteOf } from './remote'

function element(own: object): HTMLVideoElement {
  return Object.assign(new EventTarget(), own) as unknown as HTMLVideoElement
}

describe('another device', () => {
  it('is none where the browser has no way to it', () => expect(remoteOf(element({}))).toBe(null))

  it('is found and chosen by AirPlay', () => {
    const picker = vi.fn()
    const media = element({ webkitShowPlaybackTargetPicker: picker, webkitCurrentPlaybackTargetIsWireless: true })
    const told: unknown[] = []
    const remote = remoteOf(media)
    const stop = remote?.watch(
      (found) => told.push(found),
      (on) => told.push(on ? 'on' : 'off'),
    )
    const name = 'webkitplaybacktargetavailabilitychanged'
    media.dispatchEvent(Object.assign(new Event(name), { availability: 'available' }))
    media.dispatchEvent(new Event('webkitcurrentplaybacktargetiswirelesschanged'))
    stop?.()
    media.dispatchEvent(Object.assign(new Event(name), { availability: 'not-available' }))
    expect(told).toEqual([true, 'on'])
    remote?.choose()
    expect(picker).toHaveBeenCalledOnce()
  })

  it('is found and chosen by Remote Playback, also where the viewer closes the list', async () => {
    const cancel = vi.fn(() => Promise.resolve())
    const prompt = vi.fn(() => Promise.reject(new Error('NotAllowedError')))
    const remote = Object.assign(new EventTarget(), {
      state: 'connected',
      watchAvailability: (found: (on: boolean) => void) => {
        found(true)
        return Promise.resolve(7)
      },
      cancelWatchAvailability: cancel,
      prompt,
    })
    const told: unknown[] = []
    const way = remoteOf(element({ remote }))
    const stop = way?.watch(
      (found) => told.push(found),
      (on) => told.push(on ? 'on' : 'off'),
    )
    await Promise.resolve()
    remote.dispatchEvent(new Event('connect'))
    expect(told).toEqual([true, 'on'])
    way?.choose()
    stop?.()
    expect([prompt.mock.calls.length, cancel.mock.calls]).toEqual([1, [[7]]])
  })

  it('is not offered where the browser cannot look for one', async () => {
    const remote = Object.assign(new EventTarget(), { watchAvailability: () => Promise.reject(new Error()) })
    const told: boolean[] = []
    remoteOf(element({ remote }))?.watch(
      (found) => told.push(found),
      () => undefined,
    )
    await new Promise((resolve) => setTimeout(resolve))
    expect(told).toEqual([false])
  })
})
