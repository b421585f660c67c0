import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RoomState } from '$lib/protocol/room'
import { tellPlayback } from './beacon.svelte'
import { Player } from './player-state.svelte'
import type { Replay } from './recording.svelte'

/** A media element with HLS of its own, as far as a player uses it. */
class FakeMedia extends EventTarget {
  addresses: string[] = []
  muted = true
  volume = 1
  paused = false
  ended = false
  currentTime = 0
  duration = Infinity
  playbackRate = 1
  readyState = 4
  error = null
  stands = false
  buffered = { length: 0 }
  seekable = { length: 1, start: () => 0, end: () => Math.min(this.currentTime + 2, this.duration) }

  set src(address: string) {
    this.addresses.push(address)
    Object.assign(this, { currentTime: 0, duration: Infinity, ended: false })
  }
  canPlayType = () => 'maybe'
  removeAttribute = () => undefined
  load = () => undefined
  async play() {
    this.paused = false
  }
  getStartDate = () => new Date(1_000_000)

  pass(duration_ms: number) {
    if (!this.stands) this.currentTime = Math.min(this.duration, this.currentTime + duration_ms / 1000)
  }
  /** The broadcast has ended: what is there is played to its end. */
  close(left_s: number) {
    this.duration = this.currentTime + left_s
  }
  finish() {
    this.currentTime = this.duration
    this.ended = true
    this.dispatchEvent(new Event('ended'))
  }
}

let media: FakeMedia
let told: RoomState
/** The multivariant one; empty: it is gone. */
let playlist: string
let player: Player
let posted: { address: string; body: Record<string, unknown>; credentials: RequestCredentials | undefined }[]

beforeEach(() => {
  vi.useFakeTimers()
  const target = () => Object.assign(new EventTarget(), { hidden: false })
  vi.stubGlobal('document', target())
  vi.stubGlobal('window', target())
  vi.stubGlobal('location', { href: 'http://streamer.test/watch/hall' })
  vi.stubGlobal('HTMLMediaElement', { HAVE_CURRENT_DATA: 2 })
  posted = []
  playlist = ''
  vi.stubGlobal('fetch', async (address: string, init?: RequestInit) => {
    if (init?.method === 'POST') {
      posted.push({ address, body: JSON.parse(init.body as string), credentials: init.credentials })
      return new Response(null, { status: 204 })
    }
    if (address.startsWith('/api/')) return Response.json({ id: 'hall', state: told })
    return playlist ? new Response(playlist) : new Response('', { status: 404 })
  })
  media = new FakeMedia()
})
afterEach(() => {
  player.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** Lets time pass; the element plays. */
async function pass(duration_ms: number) {
  for (let past_ms = 0; past_ms < duration_ms; past_ms += 250) {
    media.pass(250)
    await vi.advanceTimersByTimeAsync(250)
  }
}

async function watching(follow = true) {
  told = 'live'
  player = new Player({ room: 'hall', mode: 'standard', whep: false, iceServers: [], autoplay: true, follow })
  player.attach(media as unknown as HTMLVideoElement)
  if (!follow) tell('live')
  media.dispatchEvent(new Event('playing'))
  await pass(10_000)
  expect(player.phase).toBe('live')
  expect(media.addresses).toEqual(['http://streamer.test/live/hall/index.m3u8'])
}

function tell(state: RoomState) {
  told = state
  const status = { ...player.status!, state, clockOffset_ms: null }
  player.tell({ kind: 'status', status })
}

describe('the end of a broadcast', () => {
  it('is left when it was played, though the room still told that it is on air', async () => {
    await watching()
    told = 'slate'
    media.close(1)
    media.finish()
    await pass(250)
    // By what was told last it was worth another attempt: its address is gone.
    media.dispatchEvent(new Event('error'))
    told = 'off'
    await pass(1_000)
    expect(player.phase).toBe('ended')
    expect(player.playing).toBe('none')
    const before = media.addresses.length
    tell('slate')
    expect(media.addresses).toHaveLength(before + 1)
  })

  it('is no end of the page: the next broadcast begins at once, also where the room was never told to be off', async () => {
    await watching()
    media.close(1)
    media.finish()
    await pass(1_000)
    expect(media.addresses).toHaveLength(2)
    media.dispatchEvent(new Event('playing'))
    await pass(10_000)
    expect(player.phase).toBe('live')
    expect(media.addresses).toHaveLength(2)
  })

  it('is noticed where the element stands still before it', async () => {
    await watching()
    tell('off')
    media.close(0.05)
    await pass(2_000)
    expect(player.phase).toBe('ended')
    told = 'live'
    tell('live')
    expect(media.addresses).toHaveLength(2)
  })

  it('is noticed by the watchdog where nothing else tells', async () => {
    await watching()
    media.close(0.05)
    await pass(6_000)
    expect(media.addresses.length).toBeGreaterThan(1)
  })

  it('leads to another attempt where nobody asks for the room', async () => {
    await watching(false)
    media.close(1)
    media.finish()
    await pass(10_000)
    expect(media.addresses.length).toBeGreaterThan(1)
    expect(media.addresses.length).toBeLessThan(5)
  })
})

describe('how it plays', () => {
  it('is told to the server without a cookie, a stall at once, and nothing while the page is in the background', async () => {
    await watching()
    const stop = tellPlayback(player, media as unknown as HTMLVideoElement)
    await pass(31_000)
    expect(posted).toHaveLength(1)
    expect(posted[0]).toMatchObject({ address: '/api/v1/rooms/hall/playback', credentials: 'omit' })
    expect(posted[0]?.body).toMatchObject({ e: 't', sta: 'p', bs: false, st: 'l' })
    media.stands = true
    await pass(4_000)
    expect(posted.filter(({ body }) => body['bs'] === true)).toHaveLength(1)
    media.stands = false
    const before = posted.length
    Object.assign(document, { hidden: true })
    await pass(60_000)
    expect(posted).toHaveLength(before)
    stop()
  })
})

describe('a link that carries no picture', () => {
  const carries = (throughput: number) => {
    player.runner.qualities = [{ index: 0, height: 240, bitrate: 480_000 }]
    Object.assign(player.runner.engine!, { throughput })
  }

  it('carries sound without a question, and whoever goes back to the picture stays there', async () => {
    await watching()
    playlist = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=60000,CODECS="mp4a.40.2"\na48.m3u8\n'
    carries(300_000)
    media.stands = true
    await pass(16_000)
    expect(player.mode).toBe('poor')
    expect(media.addresses.at(-1)).toBe('http://streamer.test/live/hall/a48.m3u8')
    media.stands = false
    player.setMode('standard')
    media.dispatchEvent(new Event('playing'))
    await pass(10_000)
    carries(300_000)
    media.stands = true
    await pass(16_000)
    expect([player.mode, player.offerPoor]).toEqual(['standard', false])
  })

  it('is asked about where it would carry the leanest', async () => {
    await watching()
    carries(500_000)
    media.stands = true
    await pass(16_000)
    expect([player.mode, player.offerPoor]).toEqual(['standard', true])
  })
})

describe('the lowest latency', () => {
  it('is offered where the browser and the server have it, for what is on, and not for a recording', () => {
    const options = { room: 'hall', mode: 'lowest' as const, iceServers: [], autoplay: true }
    expect(new Player({ ...options, whep: true }).lowestOffered).toBe(false)
    vi.stubGlobal('RTCPeerConnection', class {})
    expect(new Player({ ...options, whep: false }).lowestOffered).toBe(false)
    player = new Player({ ...options, whep: true })
    tell('live')
    expect(player.lowestOffered).toBe(true)
    tell('off')
    expect(player.lowestOffered).toBe(false)
    tell('live')
    player.watchReplay({ address: 'http://streamer.test/replay/one/index.m3u8', growing: false } as Replay)
    expect(player.lowestOffered).toBe(false)
  })
})
