import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WhepClient, type WhepFailure, type WhepPeer, type WhepState } from './whep'

const OFFER = 'v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secretsecretsecretsecret\r\nm=video 9 x 96\r\na=mid:0\r\n'

class FakePeer implements WhepPeer {
  oncandidate: WhepPeer['oncandidate'] = () => undefined
  onstate: WhepPeer['onstate'] = () => undefined
  answer: string | null = null
  closed = false
  servers: string[] = []

  async offer() {
    return OFFER
  }
  async accept(answer: string) {
    if (answer === 'rubbish') throw new Error('not SDP')
    this.answer = answer
  }
  useIceServers(servers: readonly { urls: string[] }[]) {
    this.servers = servers.flatMap((server) => server.urls)
  }
  close() {
    this.closed = true
  }
}

interface Sent {
  method: string
  address: string
  body: string
}

let peer: FakePeer
let client: WhepClient
let states: WhepState[]
let failures: (WhepFailure | null)[]
let sent: Sent[]
let reply: () => Promise<Response>

const created = (body = 'answer') =>
  new Response(body, {
    status: 201,
    headers: { Location: '/whep/turing/public/abc', Link: '<stun:stun.example>; rel="ice-server"' },
  })

beforeEach(() => {
  vi.useFakeTimers()
  peer = new FakePeer()
  states = []
  failures = []
  sent = []
  reply = async () => created()
  client = new WhepClient(
    '/whep/turing',
    peer,
    {
      fetch: async (address, init) => {
        sent.push({ method: init.method ?? 'GET', address, body: String(init.body ?? '') })
        return init.method === 'POST' ? reply() : new Response(null, { status: 204 })
      },
      now: () => Date.now(),
    },
    (state, failure) => {
      states.push(state)
      if (state === 'failed') failures.push(failure)
    },
  )
})
afterEach(() => vi.useRealTimers())

describe('a WHEP session', () => {
  it('offers, takes the answer, trickles and plays', async () => {
    await client.start()
    expect(peer.answer).toBe('answer')
    expect(peer.servers).toEqual(['stun:stun.example'])
    peer.oncandidate({ candidate: 'candidate:1 1 udp 1 192.0.2.1 5000 typ host', sdpMid: '0' })
    peer.oncandidate(null)
    peer.onstate('connected')
    expect(states).toEqual(['offering', 'connecting', 'playing'])
    const patches = sent.filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ address }) => address)).toEqual(['/whep/turing/public/abc', '/whep/turing/public/abc'])
    expect(patches[0]?.body).toContain('a=ice-ufrag:abcd\r\n')
    expect(patches[0]?.body).toContain('a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n')
    expect(patches[1]?.body).toContain('a=end-of-candidates')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(client.state).toBe('playing')
  })

  it('keeps candidates that come before the answer', async () => {
    reply = async () => {
      peer.oncandidate({ candidate: 'candidate:1', sdpMid: '0' })
      return created()
    }
    await client.start()
    expect(sent.filter(({ method }) => method === 'PATCH')).toHaveLength(1)
  })

  it('gives its place back when it is closed', async () => {
    await client.start()
    peer.onstate('connected')
    client.close()
    expect(peer.closed).toBe(true)
    expect(sent.at(-1)).toMatchObject({ method: 'DELETE', address: '/whep/turing/public/abc' })
    client.close()
    expect(sent.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
  })

  it('gives back a place that it got after it was closed', async () => {
    reply = async () => {
      client.close()
      return created()
    }
    await client.start()
    expect(peer.answer).toBeNull()
    expect(sent.at(-1)?.method).toBe('DELETE')
  })
})

describe('it fails', () => {
  it.each<[string, () => Response, WhepFailure]>([
    [
      'when all places are taken, with the time to ask again',
      () => new Response('', { status: 503, headers: { 'Retry-After': '20' } }),
      { reason: 'full', retryAfter_ms: 20_000 },
    ],
    ['when the room is off', () => new Response('', { status: 404 }), { reason: 'off' }],
    [
      'when it is refused',
      () => new Response('{"error":{"code":"bad_sdp","message":""}}', { status: 400 }),
      { reason: 'refused', status: 400, code: 'bad_sdp' },
    ],
    ['when the answer is none', () => created('rubbish'), { reason: 'refused', status: 201, code: 'bad_answer' }],
  ])('%s', async (_name, response, failure) => {
    reply = async () => response()
    await client.start()
    expect(failures).toEqual([failure])
    expect(peer.closed).toBe(true)
  })

  it('when the network is down', async () => {
    reply = async () => {
      throw new TypeError('failed to fetch')
    }
    await client.start()
    expect(failures).toEqual([{ reason: 'network' }])
  })

  it('when no media comes through in time, and gives its place back', async () => {
    await client.start()
    await vi.advanceTimersByTimeAsync(6_000)
    expect(failures).toEqual([{ reason: 'unreachable' }])
    expect(sent.at(-1)?.method).toBe('DELETE')
  })

  it('when it is disconnected for two seconds, not for one', async () => {
    await client.start()
    peer.onstate('connected')
    peer.onstate('disconnected')
    await vi.advanceTimersByTimeAsync(1_000)
    peer.onstate('connected')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(client.state).toBe('playing')
    peer.onstate('disconnected')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(failures).toEqual([{ reason: 'lost' }])
  })
})
