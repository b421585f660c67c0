import { afterEach, expect, it, vi } from 'vitest'
import type { EngineEvents } from './engine'

const handlers = new Map<string, (event: string, data: unknown) => void>()

class FakeHls {
  static Events = { FRAG_CHANGED: 'changed', FRAG_BUFFERED: 'buffered' }
  bandwidthEstimate = 0
  static DefaultConfig = { loader: class {}, pLoader: class {} }
  levels = []
  liveSyncPosition = 58
  playingDate = new Date(1_000_000)
  latestLevelDetails = {
    fragments: [
      { start: 0, end: 2, duration: 2, programDateTime: 1_000_000 },
      { start: 2, end: 60, duration: 58, programDateTime: 1_002_000 },
    ],
  }
  on = (event: string, handler: (event: string, data: unknown) => void) => handlers.set(event, handler)
  loadSource = () => undefined
  attachMedia = () => undefined
  destroy = () => undefined
}

afterEach(() => {
  vi.doUnmock('hls.js')
  vi.resetModules()
  vi.unstubAllGlobals()
})

it('goes to no other place before it plays: hls.js would take it back to the place where it was to begin', async () => {
  vi.stubGlobal('navigator', {})
  vi.resetModules()
  vi.doMock('hls.js', () => ({ default: FakeHls }))
  const { HlsEngine } = await import('./hls-engine')
  const media = { currentTime: 0, play: async () => undefined } as unknown as HTMLVideoElement
  const engine = new HlsEngine(media, '/live/hall/index.m3u8?dvr=1', 'dvr', 40, {} as EngineEvents)
  expect(engine.playhead.at_ms).toBeNull()
  expect(engine.seek(1_020_000)).toBe(false)
  expect(media.currentTime).toBe(0)
  handlers.get('changed')?.('changed', { frag: { cc: 0 } })
  expect(engine.seek(1_020_000)).toBe(true)
  expect(media.currentTime).toBe(20)
  // Its first segment may begin some µs before zero, and a media element drops that.
  expect(engine.seek(1_000_000)).toBe(true)
  expect(media.currentTime).toBe(2)
})

it('begins where it has something, if hls.js forgot where that was to be', async () => {
  vi.stubGlobal('navigator', {})
  vi.resetModules()
  vi.doMock('hls.js', () => ({ default: FakeHls }))
  const { HlsEngine } = await import('./hls-engine')
  const ranges: [number, number][] = []
  const media = {
    currentTime: 0,
    readyState: 1,
    seeking: false,
    buffered: {
      start: (index: number) => ranges[index]?.[0],
      get length() {
        return ranges.length
      },
    },
    play: async () => undefined,
  }
  const events = { onfailing: () => undefined } as unknown as EngineEvents
  new HlsEngine(media as unknown as HTMLVideoElement, '/live/hall/index.m3u8', 'live', null, events)
  const buffered = () => handlers.get('buffered')?.('buffered', {})
  buffered()
  expect(media.currentTime, 'the sound is not here yet').toBe(0)
  ranges.push([11.27, 11.58])
  buffered()
  expect(media.currentTime).toBe(11.27)
  Object.assign(media, { currentTime: 40, readyState: 4 })
  buffered()
  expect(media.currentTime, 'it plays').toBe(40)
})
