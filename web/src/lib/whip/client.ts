/**
 * A WHIP publisher (RFC 9725) that never gives up: a state machine without DOM, over an injected peer, fetch and timers.
 *
 *     idle -> offering -> connecting -> live -> reconnecting -> offering …      any -> ended | refused
 *
 * `refused` is what waiting does not mend (no right, source taken by somebody else); a person decides. Everything else is
 * tried again for ever. Tracks outlive connections: `setTracks` replaces them without renegotiation.
 */

import { Backoff } from '$lib/backoff'
import { errorCode, iceServersFromLink, retryAfterMs, type IceServer } from './headers'
import { candidateFragment, withOpus, withStartBitrate, type LocalCandidate, type OpusOptions } from './sdp'

export type WhipState = 'idle' | 'offering' | 'connecting' | 'live' | 'reconnecting' | 'refused' | 'ended'

/** Why the client is where it is. Codes that are not the client's own come from the server's error body. */
export type WhipReason =
  | ''
  | 'network'
  | 'server_error'
  | 'busy'
  | 'connect_timeout'
  | 'disconnected'
  | 'failed'
  | 'peer_silent'
  | 'source_lost'
  | 'restart'
  | 'unauthorized'
  | 'forbidden'
  | 'source_occupied'
  | 'replaced'
  | 'not_found'
  | 'not_acceptable'
  | 'offer_failed'

export interface EncoderOptions {
  video: { maxBitrate: number; startBitrate: number; maxFramerate: number; degradation: DegradationPreference }
  audio: OpusOptions
}

export type DegradationPreference = 'maintain-resolution' | 'maintain-framerate' | 'balanced'

/** The part of a peer connection that the client uses; `peer.ts` makes it of an `RTCPeerConnection`, tests of nothing. */
export interface Peer {
  /** An offer, not yet applied: gathering begins with `apply`. */
  createOffer(): Promise<string>
  /** Applies the offer that `createOffer` made and the answer, in this order. */
  apply(answer: string): Promise<void>
  /** Before `apply`: servers that the WHIP endpoint named. */
  useIceServers(servers: readonly IceServer[]): void
  replaceTracks(tracks: OutgoingTracks): Promise<void>
  configure(options: EncoderOptions): Promise<void>
  close(): void
  onCandidate: (candidate: LocalCandidate | null) => void
  onState: (state: 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed') => void
}

/** Opaque to the client; null sends nothing of that kind. */
export interface OutgoingTracks {
  video: MediaStreamTrack | null
  audio: MediaStreamTrack | null
}

export interface WhipPorts {
  fetch: (url: string, init: RequestInit) => Promise<Response>
  createPeer: (tracks: OutgoingTracks, options: EncoderOptions) => Peer
  setTimeout: (run: () => void, ms: number) => unknown
  clearTimeout: (handle: unknown) => void
  now: () => number
  random?: () => number
  /**
   * Asked before a lost connection is made again: does another publication feed the source by now? The same grant may take
   * over from itself, so that two pages with one link would otherwise throw each other out for ever. Must not reject.
   */
  heldByAnother?: () => Promise<boolean>
}

export interface WhipOptions {
  endpoint: string
  token: string
  encoder: EncoderOptions
}

export interface StartOptions {
  takeover?: boolean
  liveSinceMs?: number | null
}

export interface WhipStatus {
  state: WhipState
  reason: WhipReason
  /** The server's code or the browser's message, for the technician's eyes. */
  detail: string
  /** When the publication first went live, ms since the epoch; kept through reconnections. */
  liveSinceMs: number | null
  /** When the present interruption began. */
  interruptedAtMs: number | null
  /** When the next attempt is due. */
  retryAtMs: number | null
  reconnections: number
}

export const POST_TIMEOUT_MS = 8_000
export const CONNECT_TIMEOUT_MS = 10_000
export const DISCONNECTED_GRACE_MS = 2_000
const TRICKLE_BATCH_MS = 60
const PATCH_TIMEOUT_MS = 5_000
const GOODBYE_MS = 1_000

interface Attempt {
  peer: Peer
  resource: string
  etag: string
  offer: string
  candidates: LocalCandidate[]
  gathered: boolean
  patching: boolean
}

export class WhipClient {
  private status: WhipStatus = {
    state: 'idle',
    reason: '',
    detail: '',
    liveSinceMs: null,
    interruptedAtMs: null,
    retryAtMs: null,
    reconnections: 0,
  }
  private readonly listeners = new Set<(status: WhipStatus) => void>()
  private readonly backoff: Backoff
  private attempt: Attempt | null = null
  private timers = new Map<string, unknown>()
  private tracks: OutgoingTracks = { video: null, audio: null }
  private takeover = false
  /** Grows with each attempt; what an earlier one still has under way is ignored. */
  private generation = 0

  constructor(
    private readonly ports: WhipPorts,
    private options: WhipOptions,
  ) {
    this.backoff = new Backoff(500, 5000, ports.random ?? Math.random)
  }

  get current(): WhipStatus {
    return this.status
  }

  /** The peer under way, for statistics; null between attempts. */
  get peer(): Peer | null {
    return this.attempt?.peer ?? null
  }

  subscribe(listener: (status: WhipStatus) => void): () => void {
    this.listeners.add(listener)
    listener(this.status)
    return () => this.listeners.delete(listener)
  }

  /**
   * Begins to publish; without effect while a publication is under way. `liveSinceMs` goes on with a publication that a
   * page began before it was reloaded.
   */
  start(tracks: OutgoingTracks, { takeover = false, liveSinceMs = null }: StartOptions = {}): void {
    if (!['idle', 'ended', 'refused'].includes(this.status.state)) return
    const resumed = this.status.state === 'refused'
    this.tracks = tracks
    this.takeover = takeover
    this.backoff.reset()
    this.set({
      reason: '',
      detail: '',
      retryAtMs: null,
      ...(resumed ? {} : { liveSinceMs, interruptedAtMs: null, reconnections: 0 }),
    })
    void this.offer()
  }

  /** Another camera, another microphone: the same connection. Kept for later attempts. */
  async setTracks(tracks: OutgoingTracks): Promise<void> {
    this.tracks = tracks
    await this.attempt?.peer.replaceTracks(tracks)
  }

  /** Other bitrates at once; Opus's own parameters from the next connection on. */
  async setEncoder(encoder: EncoderOptions): Promise<void> {
    this.options = { ...this.options, encoder }
    await this.attempt?.peer.configure(encoder)
  }

  /** Something outside knows that this connection is dead (the server lost the source, the machine slept). */
  reconnect(reason: WhipReason): void {
    if (this.status.state === 'live' || this.status.state === 'connecting') this.lost(reason, '')
  }

  /** The network is back: do not sit out the wait. */
  retryNow(): void {
    if (this.status.state !== 'reconnecting') return
    this.backoff.reset()
    this.cancel('retry')
    void this.again()
  }

  /** Ends the publication. The DELETE outlives the page. */
  end(): void {
    if (this.status.state === 'ended' || this.status.state === 'idle') return
    this.drop(true)
    this.set({ state: 'ended', reason: '', detail: '', retryAtMs: null, interruptedAtMs: null })
  }

  // --- one attempt ------------------------------------------------------------------------------------------------

  private async offer(): Promise<void> {
    this.drop(false)
    const generation = ++this.generation
    this.set({ state: 'offering', retryAtMs: null })
    const peer = this.ports.createPeer(this.tracks, this.options.encoder)
    const attempt: Attempt = {
      peer,
      resource: '',
      etag: '',
      offer: '',
      candidates: [],
      gathered: false,
      patching: false,
    }
    this.attempt = attempt
    peer.onCandidate = (candidate) => this.candidate(attempt, candidate)
    peer.onState = (state) => this.peerState(attempt, state)
    const stale = (): boolean => generation !== this.generation

    try {
      attempt.offer = await peer.createOffer()
    } catch (error) {
      if (!stale()) this.lost('offer_failed', text(error))
      return
    }
    if (stale()) return

    let response: Response
    let body: string
    const abort = new AbortController()
    this.after('post', POST_TIMEOUT_MS, () => abort.abort())
    try {
      response = await this.ports.fetch(this.endpoint(), {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${this.options.token}` },
        body: withOpus(attempt.offer, this.options.encoder.audio),
        signal: abort.signal,
        credentials: 'omit',
      })
      body = await response.text()
    } catch (error) {
      if (!stale()) {
        this.cancel('post')
        this.lost('network', text(error))
      }
      return
    }
    const location = response.headers.get('Location')
    if (stale()) {
      // Ended or restarted while the answer was under way: do not leave a ghost on the source.
      if (response.status === 201 && location) void this.remove(this.absolute(location, response.url), '')
      return
    }
    this.cancel('post')
    if (response.status !== 201 || !location) {
      this.rejected(response, body)
      return
    }
    attempt.resource = this.absolute(location, response.url)
    attempt.etag = response.headers.get('ETag') ?? ''
    this.takeover = false
    this.set({ state: 'connecting' })
    this.after('connect', CONNECT_TIMEOUT_MS, () => this.lost('connect_timeout', ''))

    const servers = iceServersFromLink(response.headers.get('Link'))
    try {
      if (servers.length > 0) peer.useIceServers(servers)
      const { audio, video } = this.options.encoder
      await peer.apply(
        withStartBitrate(
          withOpus(body, audio),
          Math.round(video.startBitrate / 1000),
          Math.round(video.maxBitrate / 1000),
        ),
      )
      if (!stale()) await peer.configure(this.options.encoder)
    } catch (error) {
      if (!stale()) this.lost('offer_failed', text(error))
    }
  }

  private rejected(response: Response, body: string): void {
    const code = errorCode(body)
    const refusal = REFUSALS.get(response.status)
    // A room that was there a moment ago is not unknown: a proxy or a restart stands in between.
    if (refusal && !(refusal === 'not_found' && this.status.liveSinceMs !== null)) {
      this.drop(false)
      this.set({ state: 'refused', reason: refusal, detail: code, retryAtMs: null })
      return
    }
    const busy = response.status === 503 || response.status === 429
    const wait = retryAfterMs(response.headers.get('Retry-After'), this.ports.now())
    const reason = busy ? 'busy' : response.status >= 500 ? 'server_error' : 'not_acceptable'
    this.lost(reason, code || `HTTP ${response.status}`, wait)
  }

  private peerState(attempt: Attempt, state: Parameters<Peer['onState']>[0]): void {
    if (attempt !== this.attempt) return
    if (state === 'connected') {
      this.cancel('connect')
      this.cancel('grace')
      if (this.status.state === 'live') return
      this.backoff.reset()
      const again = this.status.liveSinceMs !== null
      this.set({
        state: 'live',
        reason: '',
        detail: '',
        retryAtMs: null,
        interruptedAtMs: null,
        liveSinceMs: this.status.liveSinceMs ?? this.ports.now(),
        reconnections: this.status.reconnections + (again ? 1 : 0),
      })
    } else if (state === 'disconnected') {
      // ICE may recover by itself: packets lost on a wireless hop look the same as a dead server.
      if (this.status.state === 'live' && !this.timers.has('grace')) {
        this.after('grace', DISCONNECTED_GRACE_MS, () => this.lost('disconnected', ''))
      }
    } else if (state === 'failed' || state === 'closed') {
      this.lost('failed', '')
    }
  }

  private lost(reason: WhipReason, detail: string, waitMs: number | null = null): void {
    if (this.status.state === 'ended' || this.status.state === 'idle') return
    this.drop(true)
    const wait = Math.max(waitMs ?? 0, this.backoff.next())
    const now = this.ports.now()
    this.set({
      state: 'reconnecting',
      reason,
      detail,
      retryAtMs: now + wait,
      interruptedAtMs: this.status.liveSinceMs === null ? null : (this.status.interruptedAtMs ?? now),
    })
    this.after('retry', wait, () => void this.again())
  }

  private async again(): Promise<void> {
    const generation = this.generation
    if (this.status.liveSinceMs !== null && this.ports.heldByAnother) {
      const held = await this.ports.heldByAnother()
      if (generation !== this.generation) return
      if (held) {
        this.set({ state: 'refused', reason: 'replaced', detail: '', retryAtMs: null })
        return
      }
    }
    await this.offer()
  }

  // --- trickle ----------------------------------------------------------------------------------------------------

  private candidate(attempt: Attempt, candidate: LocalCandidate | null): void {
    if (attempt !== this.attempt) return
    if (candidate === null || candidate.candidate === '') attempt.gathered = true
    else attempt.candidates.push(candidate)
    if (!this.timers.has('trickle')) this.after('trickle', TRICKLE_BATCH_MS, () => void this.trickle(attempt))
  }

  private async trickle(attempt: Attempt): Promise<void> {
    if (attempt !== this.attempt || attempt.patching || !attempt.resource) return
    const batch = attempt.candidates.splice(0)
    const complete = attempt.gathered
    if (batch.length === 0 && !complete) return
    attempt.patching = true
    const abort = new AbortController()
    const limit = this.ports.setTimeout(() => abort.abort(), PATCH_TIMEOUT_MS)
    try {
      const response = await this.ports.fetch(attempt.resource, {
        method: 'PATCH',
        headers: {
          'Content-Type': 'application/trickle-ice-sdpfrag',
          Authorization: `Bearer ${this.options.token}`,
          ...(attempt.etag ? { 'If-Match': attempt.etag } : {}),
        },
        body: candidateFragment(attempt.offer, batch, complete),
        signal: abort.signal,
        credentials: 'omit',
      })
      attempt.etag = response.headers.get('ETag') ?? attempt.etag
    } catch {
      // Peer-reflexive candidates connect most rooms even so; if not, the connection's own time limit decides.
    } finally {
      this.ports.clearTimeout(limit)
      attempt.patching = false
    }
    if (attempt.candidates.length > 0 || (attempt.gathered && !complete)) {
      if (attempt === this.attempt) this.after('trickle', TRICKLE_BATCH_MS, () => void this.trickle(attempt))
    }
  }

  // --- parts --------------------------------------------------------------------------------------------------------

  private endpoint(): string {
    if (!this.takeover) return this.options.endpoint
    return `${this.options.endpoint}${this.options.endpoint.includes('?') ? '&' : '?'}takeover=1`
  }

  private absolute(location: string, answered: string): string {
    const base = answered || this.options.endpoint
    // Without an origin (a relative endpoint in a test, or an opaque response) an absolute path is good as it is.
    return /^[a-z]+:/i.test(base) ? new URL(location, base).href : location
  }

  private drop(hangUp: boolean): void {
    this.generation++
    for (const name of [...this.timers.keys()]) this.cancel(name)
    const attempt = this.attempt
    this.attempt = null
    if (!attempt) return
    attempt.peer.onCandidate = () => undefined
    attempt.peer.onState = () => undefined
    if (!hangUp || !attempt.resource) {
      attempt.peer.close()
      return
    }
    // Closed once the server has the DELETE: by a peer that vanishes first it would end the publication itself, and
    // answer 404. It is not waited for long, since that server may be what was lost.
    const close = (): void => {
      this.ports.clearTimeout(limit)
      attempt.peer.close()
    }
    const limit = this.ports.setTimeout(close, GOODBYE_MS)
    void this.remove(attempt.resource, attempt.etag).then(close)
  }

  private async remove(resource: string, etag: string): Promise<void> {
    await this.ports
      .fetch(resource, {
        method: 'DELETE',
        headers: { Authorization: `Bearer ${this.options.token}`, ...(etag ? { 'If-Match': etag } : {}) },
        keepalive: true,
        credentials: 'omit',
      })
      // The server drops a silent publication by itself.
      .catch(() => undefined)
  }

  private after(name: string, ms: number, run: () => void): void {
    this.cancel(name)
    this.timers.set(
      name,
      this.ports.setTimeout(() => {
        this.timers.delete(name)
        run()
      }, ms),
    )
  }

  private cancel(name: string): void {
    const handle = this.timers.get(name)
    if (handle === undefined) return
    this.timers.delete(name)
    this.ports.clearTimeout(handle)
  }

  private set(change: Partial<WhipStatus>): void {
    this.status = { ...this.status, ...change }
    for (const listener of this.listeners) listener(this.status)
  }
}

const REFUSALS = new Map<number, WhipReason>([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [409, 'source_occupied'],
])

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
