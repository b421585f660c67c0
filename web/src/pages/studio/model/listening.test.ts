import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { WhepPeer } from '$features/player/protocol/whep'
import { Listening, listenPath } from './listening.svelte'

let asked: string[] = []
let peers: (WhepPeer & { stream: MediaStream; closed: boolean })[] = []
let status = 201
let refused = false

function listening(): Listening {
  return new Listening({
    fetch: (input, init) => {
      asked.push(`${init.method} ${input}`)
      const headers = status === 201 ? { Location: `${input}/public/secret` } : {}
      return Promise.resolve(new Response('v=0', { status, headers }))
    },
    now: () => Date.now(),
    peer: () => {
      const peer = {
        oncandidate: () => undefined,
        onstate: () => undefined,
        offer: () => Promise.resolve('v=0\r\nm=audio 9\r\n'),
        accept: () => Promise.resolve(),
        useIceServers: () => undefined,
        stream: {} as MediaStream,
        closed: false,
        close() {
          this.closed = true
        },
      }
      peers.push(peer)
      return peer
    },
    play: (stream) => (stream && refused ? Promise.reject(new Error('NotAllowedError')) : Promise.resolve()),
  })
}
const soon = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  vi.useFakeTimers()
  ;[asked, peers, status, refused] = [[], [], 201, false]
})
afterEach(() => vi.useRealTimers())

const OUT = { room: 'a', source: null }
const IN = { room: 'a', source: 'main' }

describe('listening', () => {
  it('is to one room at a time, and what goes out never opens what comes in', async () => {
    const one = listening()
    one.toggle(OUT)
    await soon()
    expect(asked).toEqual(['POST /whep/a'])
    peers[0]?.onstate('connected')
    expect(one.state).toBe('playing')
    one.toggle({ room: 'b', source: null })
    await soon()
    expect(peers.map(({ closed }) => closed)).toEqual([true, false])
    expect(asked).toContain('DELETE /whep/a/public/secret')
    expect(one.isHeard(OUT)).toBe(false)
    expect(asked.filter((one) => one.includes('main'))).toEqual([])
    one.toggle({ room: 'b', source: null })
    expect([one.heard, one.state]).toEqual([null, 'off'])
  })

  it('goes on by itself, and says where there is nothing to hear', async () => {
    const one = listening()
    status = 404
    one.toggle(IN)
    await soon()
    expect(one.state).toBe('nothing')
    status = 201
    await vi.advanceTimersByTimeAsync(2_000)
    peers[1]?.onstate('connected')
    expect([one.state, asked.filter((line) => line === 'POST /whep/a/main').length]).toEqual(['playing', 2])
    peers[1]?.onstate('failed')
    expect(one.state).toBe('failed')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(peers).toHaveLength(3)
    one.stop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(peers).toHaveLength(3)
  })

  it('says that the browser wants a press, and the press plays', async () => {
    refused = true
    const one = listening()
    one.toggle(OUT)
    await soon()
    peers[0]?.onstate('connected')
    expect(one.state).toBe('blocked')
    refused = false
    one.toggle(OUT)
    await soon()
    peers[1]?.onstate('connected')
    expect(one.state).toBe('playing')
  })

  it('has addresses', () => expect([OUT, IN].map(listenPath)).toEqual(['/whep/a', '/whep/a/main']))
})
