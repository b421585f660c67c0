import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CONNECT_TIMEOUT_MS, DISCONNECTED_GRACE_MS, type EncoderOptions, type Peer, WhipClient } from './client'

const ENCODER: EncoderOptions = {
  video: { maxBitrate: 4_500_000, startBitrate: 2_700_000, maxFramerate: 30, degradation: 'maintain-resolution' },
  audio: { stereo: true, maxAverageBitrate: 160_000 },
}

const OFFER = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=mid:0',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'm=video 9 UDP/TLS/RTP/SAVPF 102',
  'a=mid:1',
  'a=rtpmap:102 H264/90000',
  '',
].join('\r\n')

class FakePeer implements Peer {
  onCandidate: Peer['onCandidate'] = () => undefined
  onState: Peer['onState'] = () => undefined
  answer = ''
  closed = false
  servers: readonly { urls: string[] }[] = []
  createOffer = async () => OFFER
  apply = async (answer: string) => void (this.answer = answer)
  useIceServers = (servers: readonly { urls: string[] }[]) => void (this.servers = servers)
  replaceTracks = vi.fn(async () => undefined)
  configure = vi.fn(async () => undefined)
  close = () => void (this.closed = true)
}

interface Call {
  method: string
  url: string
  body: string
  headers: Record<string, string>
  keepalive: boolean
}

const TRACKS = { video: null, audio: null }
const created = (n: number) =>
  new Response(OFFER, { status: 201, headers: { Location: `/whip/r/main/s${n}`, ETag: `"e${n}"` } })
const refusal = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ error: { code, message: '' } }), { status, headers })

class World {
  peers: FakePeer[] = []
  calls: Call[] = []
  /** Answers to POST, in order; the last one goes on. */
  posts: (() => Response | Promise<Response>)[] = [() => created(this.posted.length)]
  held = false
  client = new WhipClient(
    {
      fetch: async (url, init) => {
        const method = init.method ?? 'GET'
        this.calls.push({
          method,
          url,
          body: String(init.body ?? ''),
          headers: init.headers as Record<string, string>,
          keepalive: init.keepalive ?? false,
        })
        if (method !== 'POST') return new Response(null, { status: method === 'PATCH' ? 204 : 200 })
        const answer = this.posts.length > 1 ? this.posts.shift() : this.posts[0]
        if (!answer) throw new Error('no answer')
        return await answer()
      },
      createPeer: () => {
        const peer = new FakePeer()
        this.peers.push(peer)
        return peer
      },
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
      now: () => Date.now(),
      random: () => 0,
      heldByAnother: async () => this.held,
    },
    { endpoint: '/whip/r', token: 'grant.secret', encoder: ENCODER },
  )

  get posted(): Call[] {
    return this.calls.filter((call) => call.method === 'POST')
  }
  get peer(): FakePeer {
    return this.peers.at(-1) as FakePeer
  }
  get state() {
    return this.client.current.state
  }

  async goLive(): Promise<void> {
    this.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(0)
    this.peer.onState('connected')
  }
}

let world: World

beforeEach(() => {
  vi.useFakeTimers()
  world = new World()
})
afterEach(() => void vi.useRealTimers())

describe('a publication', () => {
  it('offers, connects and is live', async () => {
    const states: string[] = []
    world.client.subscribe((status) => states.push(status.state))
    await world.goLive()
    expect([...new Set(states)]).toEqual(['idle', 'offering', 'connecting', 'live'])
    expect(world.posted[0]?.headers['Authorization']).toBe('Bearer grant.secret')
    expect(world.posted[0]?.headers['Content-Type']).toBe('application/sdp')
    expect(world.posted[0]?.body).toContain('stereo=1')
    expect(world.peer.answer).toContain('maxaveragebitrate=160000')
    expect(world.peer.answer).toContain('x-google-start-bitrate=2700')
    expect(world.peer.configure).toHaveBeenCalled()
    expect(world.client.current.liveSinceMs).not.toBeNull()
  })

  it('trickles candidates in batches under its ETag, and says when there are no more', async () => {
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(0)
    world.peer.onCandidate({ candidate: 'candidate:1 1 udp 1 192.0.2.1 5000 typ host', sdpMid: '0' })
    world.peer.onCandidate({ candidate: 'candidate:2 1 udp 1 192.0.2.2 5000 typ host', sdpMid: '0' })
    world.peer.onCandidate(null)
    await vi.advanceTimersByTimeAsync(100)
    const patches = world.calls.filter((call) => call.method === 'PATCH')
    expect(patches).toHaveLength(1)
    expect(patches[0]?.url).toBe('/whip/r/main/s1')
    expect(patches[0]?.headers).toMatchObject({
      'Content-Type': 'application/trickle-ice-sdpfrag',
      'If-Match': '"e1"',
    })
    expect(patches[0]?.body).toContain('a=candidate:2 1 udp')
    expect(patches[0]?.body).toContain('a=end-of-candidates')
  })

  it('hands ICE servers of the Link header to the peer before gathering', async () => {
    world.posts = [
      () =>
        new Response(OFFER, {
          status: 201,
          headers: { Location: '/whip/r/main/s', Link: '<turn:t.example:3478>; rel="ice-server"; username="u"' },
        }),
    ]
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(0)
    expect(world.peer.servers).toEqual([{ urls: ['turn:t.example:3478'], username: 'u' }])
  })

  it('ends with a DELETE that outlives the page', async () => {
    await world.goLive()
    world.client.end()
    expect(world.state).toBe('ended')
    expect(world.peer.closed).toBe(false)
    await vi.advanceTimersByTimeAsync(0)
    expect(world.peer.closed).toBe(true)
    expect(world.calls.at(-1)).toMatchObject({ method: 'DELETE', url: '/whip/r/main/s1', keepalive: true })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(world.posted).toHaveLength(1)
  })

  it('goes on counting where a reloaded page left off', async () => {
    world.client.start(TRACKS, { liveSinceMs: 1234 })
    await vi.advanceTimersByTimeAsync(0)
    world.peer.onState('connected')
    expect(world.client.current).toMatchObject({ state: 'live', liveSinceMs: 1234 })
  })

  it('leaves no ghost when it is ended while the answer is under way', async () => {
    let answer: (response: Response) => void = () => undefined
    world.posts = [() => new Promise<Response>((resolve) => (answer = resolve))]
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(0)
    world.client.end()
    answer(created(7))
    await vi.advanceTimersByTimeAsync(0)
    expect(world.calls.at(-1)).toMatchObject({ method: 'DELETE', url: '/whip/r/main/s7' })
    expect(world.state).toBe('ended')
  })

  it('replaces tracks without a new connection and keeps them for the next', async () => {
    await world.goLive()
    const tracks = { video: {} as MediaStreamTrack, audio: null }
    await world.client.setTracks(tracks)
    expect(world.peer.replaceTracks).toHaveBeenCalledWith(tracks)
    expect(world.posted).toHaveLength(1)
  })
})

describe('a lost connection', () => {
  it('waits two seconds for ICE to recover by itself', async () => {
    await world.goLive()
    world.peer.onState('disconnected')
    await vi.advanceTimersByTimeAsync(DISCONNECTED_GRACE_MS - 1)
    world.peer.onState('connected')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(world.state).toBe('live')
    expect(world.posted).toHaveLength(1)
  })

  it('is made again, and keeps the time on air', async () => {
    await world.goLive()
    const since = world.client.current.liveSinceMs
    world.peer.onState('disconnected')
    await vi.advanceTimersByTimeAsync(DISCONNECTED_GRACE_MS)
    expect(world.client.current).toMatchObject({ state: 'reconnecting', reason: 'disconnected' })
    await vi.advanceTimersByTimeAsync(500)
    world.peer.onState('connected')
    expect(world.client.current).toMatchObject({ state: 'live', liveSinceMs: since, reconnections: 1 })
    expect(world.calls.filter((call) => call.method === 'DELETE')).toHaveLength(1)
  })

  it('is tried for ever, at most five seconds apart', async () => {
    await world.goLive()
    world.posts = [
      () => {
        throw new TypeError('Failed to fetch')
      },
    ]
    world.peer.onState('failed')
    await vi.advanceTimersByTimeAsync(10 * 60_000)
    expect(world.client.current).toMatchObject({ state: 'reconnecting', reason: 'network' })
    expect(world.posted.length).toBeGreaterThan(115)
    world.posts = [() => created(9)]
    await vi.advanceTimersByTimeAsync(5000)
    world.peer.onState('connected')
    expect(world.state).toBe('live')
  })

  it('comes back at once when the network does', async () => {
    await world.goLive()
    world.posts = [() => refusal(502, '')]
    world.peer.onState('failed')
    await vi.advanceTimersByTimeAsync(60_000)
    const before = world.posted.length
    await vi.advanceTimersByTimeAsync(100)
    world.client.retryNow()
    await vi.advanceTimersByTimeAsync(0)
    expect(world.posted.length).toBe(before + 1)
  })

  it('is noticed by others: the server lost the source', async () => {
    await world.goLive()
    world.client.reconnect('source_lost')
    expect(world.client.current).toMatchObject({ state: 'reconnecting', reason: 'source_lost' })
  })

  it('gives way to another publication under the same grant instead of throwing it out', async () => {
    await world.goLive()
    world.held = true
    world.peer.onState('failed')
    await vi.advanceTimersByTimeAsync(1000)
    expect(world.client.current).toMatchObject({ state: 'refused', reason: 'replaced' })
    expect(world.posted).toHaveLength(1)
  })

  it('outlives a 404 of a proxy in the middle of a restart', async () => {
    await world.goLive()
    world.posts = [() => refusal(404, 'not_found')]
    world.peer.onState('failed')
    await vi.advanceTimersByTimeAsync(2000)
    expect(world.state).toBe('reconnecting')
  })
})

describe('a server that says no', () => {
  it.each([
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'not_found'],
    [409, 'source_occupied'],
  ])('with %i waits for a person', async (status, reason) => {
    world.posts = [() => refusal(status, reason)]
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(world.client.current).toMatchObject({ state: 'refused', reason })
    expect(world.posted).toHaveLength(1)
  })

  it('lets an occupied source be taken over, once', async () => {
    world.posts = [() => refusal(409, 'source_occupied'), () => created(1)]
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(0)
    world.client.start(TRACKS, { takeover: true })
    await vi.advanceTimersByTimeAsync(0)
    expect(world.posted[1]?.url).toBe('/whip/r?takeover=1')
    world.peer.onState('connected')
    world.peer.onState('failed')
    await vi.advanceTimersByTimeAsync(1000)
    expect(world.posted[2]?.url).toBe('/whip/r')
  })

  it('with 503 is asked again after the time that it names', async () => {
    world.posts = [() => refusal(503, 'room_starting', { 'Retry-After': '3' }), () => created(1)]
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(2900)
    expect(world.client.current).toMatchObject({ state: 'reconnecting', reason: 'busy', detail: 'room_starting' })
    expect(world.posted).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(world.posted).toHaveLength(2)
  })

  it('or answers without ever connecting is tried again', async () => {
    world.client.start(TRACKS)
    await vi.advanceTimersByTimeAsync(CONNECT_TIMEOUT_MS)
    expect(world.client.current).toMatchObject({ state: 'reconnecting', reason: 'connect_timeout' })
  })
})
