import { errorCode, type IceServer, iceServersFromLink, retryAfterMs } from '$lib/whip/headers'

/** The peer connection as this client uses it; `whep-peer.ts` is the browser's, tests bring their own. */
export interface WhepPeer {
  /** A gathered candidate line, or null at the end of gathering. */
  oncandidate: (candidate: { candidate: string; sdpMid: string | null } | null) => void
  onstate: (state: RTCPeerConnectionState) => void
  /** Makes and applies a receive-only offer; gathering begins. */
  offer(): Promise<string>
  accept(answer: string): Promise<void>
  useIceServers(servers: readonly IceServer[]): void
  close(): void
}

export interface WhepPorts {
  fetch: (input: string, init: RequestInit) => Promise<Response>
  now: () => number
}

export type WhepState = 'idle' | 'offering' | 'connecting' | 'playing' | 'failed' | 'closed'

export type WhepFailure =
  /** 503: all places are taken. `retryAfter_ms` where the server says when to ask again. */
  | { reason: 'full'; retryAfter_ms: number | null }
  /** 404 or 409: the room is off, or the server offers no WHEP. */
  | { reason: 'off' }
  | { reason: 'refused'; status: number; code: string }
  | { reason: 'network' }
  /** No way through for media (a firewall without UDP), or none in time. */
  | { reason: 'unreachable' }
  /** It played, and was lost. */
  | { reason: 'lost' }

const POST_TIMEOUT_MS = 6_000
const CONNECT_TIMEOUT_MS = 6_000
/** A disconnected peer often comes back by itself (a handover between networks). */
const DISCONNECTED_GRACE_MS = 2_000

/** ICE credentials of an offer, which each trickled fragment repeats (RFC 9725 section 4.3.2, RFC 8840). */
function credentials(offer: string): string {
  const ufrag = /^a=ice-ufrag:.*$/m.exec(offer)?.[0]?.trim() ?? ''
  const pwd = /^a=ice-pwd:.*$/m.exec(offer)?.[0]?.trim() ?? ''
  return `${ufrag}\r\n${pwd}\r\n`
}

/**
 * One attempt to watch over WHEP: offer, answer, trickle, connected, until it is closed or fails. It does not retry: what
 * comes instead (HLS, or another attempt) is the player's decision.
 */
export class WhepClient {
  #state: WhepState = 'idle'
  #failure: WhepFailure | null = null
  private resource: string | null = null
  private offerSdp = ''
  private candidates: string[] = []
  private gathered = false
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly trickling = new AbortController()

  constructor(
    private readonly endpoint: string,
    private readonly peer: WhepPeer,
    private readonly ports: WhepPorts,
    private readonly onchange: (state: WhepState, failure: WhepFailure | null) => void,
  ) {
    peer.oncandidate = (candidate) => this.candidate(candidate)
    peer.onstate = (state) => this.peerState(state)
  }

  get state(): WhepState {
    return this.#state
  }

  get failure(): WhepFailure | null {
    return this.#failure
  }

  async start(): Promise<void> {
    if (this.#state !== 'idle') return
    this.enter('offering')
    try {
      this.offerSdp = await this.peer.offer()
    } catch {
      return this.fail({ reason: 'unreachable' })
    }
    if (this.over) return
    this.arm(POST_TIMEOUT_MS, { reason: 'network' })
    let response: Response
    let body: string
    try {
      response = await this.ports.fetch(this.endpoint, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp' },
        body: this.offerSdp,
        // Not aborted by `close`: the answer tells which resource to give back.
        signal: AbortSignal.timeout(POST_TIMEOUT_MS),
      })
      body = await response.text()
    } catch {
      return this.fail({ reason: 'network' })
    }
    const location = response.headers.get('Location')
    if (response.ok && location) this.resource = location
    // Closed while the server was answering: what it made must not stay.
    if (this.over) return this.release()
    if (!response.ok) return this.fail(this.refusal(response, body))
    this.peer.useIceServers(iceServersFromLink(response.headers.get('Link')))
    this.enter('connecting')
    this.arm(CONNECT_TIMEOUT_MS, { reason: 'unreachable' })
    this.trickle()
    try {
      await this.peer.accept(body)
    } catch {
      this.fail({ reason: 'refused', status: response.status, code: 'bad_answer' })
    }
  }

  close(): void {
    if (this.over) return
    this.finish('closed')
  }

  private get over(): boolean {
    return this.#state === 'failed' || this.#state === 'closed'
  }

  private refusal(response: Response, body: string): WhepFailure {
    if (response.status === 503) {
      return { reason: 'full', retryAfter_ms: retryAfterMs(response.headers.get('Retry-After'), this.ports.now()) }
    }
    if (response.status === 404 || response.status === 409) return { reason: 'off' }
    return { reason: 'refused', status: response.status, code: errorCode(body) }
  }

  private peerState(state: RTCPeerConnectionState): void {
    if (this.over) return
    if (state === 'connected') {
      clearTimeout(this.timer)
      this.enter('playing')
    } else if (state === 'failed' || state === 'closed') {
      this.fail({ reason: this.#state === 'playing' ? 'lost' : 'unreachable' })
    } else if (state === 'disconnected' && this.#state === 'playing') {
      this.arm(DISCONNECTED_GRACE_MS, { reason: 'lost' })
    }
  }

  private candidate(candidate: { candidate: string; sdpMid: string | null } | null): void {
    if (this.over) return
    if (candidate === null) {
      this.gathered = true
    } else if (candidate.candidate !== '') {
      this.candidates.push(
        `m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:${candidate.sdpMid ?? '0'}\r\na=${candidate.candidate}\r\n`,
      )
    }
    this.trickle()
  }

  /** Sends what was gathered since the last time; before there is a resource it waits here. */
  private trickle(): void {
    if (!this.resource || this.over) return
    if (this.candidates.length === 0 && !this.gathered) return
    const fragment =
      credentials(this.offerSdp) + this.candidates.join('') + (this.gathered ? 'a=end-of-candidates\r\n' : '')
    this.candidates = []
    this.gathered = false
    // A lost candidate is not the end: the server's own candidates, or the next ones, may do.
    this.ports
      .fetch(this.resource, {
        method: 'PATCH',
        headers: { 'Content-Type': 'application/trickle-ice-sdpfrag' },
        body: fragment,
        signal: this.trickling.signal,
      })
      .catch(() => undefined)
  }

  private arm(wait_ms: number, failure: WhepFailure): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.fail(failure), wait_ms)
  }

  private enter(state: WhepState): void {
    this.#state = state
    this.onchange(state, this.#failure)
  }

  private fail(failure: WhepFailure): void {
    if (this.over) return
    this.#failure = failure
    this.finish('failed')
  }

  private finish(state: 'failed' | 'closed'): void {
    clearTimeout(this.timer)
    this.#state = state
    this.trickling.abort()
    this.peer.close()
    this.release()
    this.onchange(state, this.#failure)
  }

  /** Gives the place back; keepalive lets it through while the page goes away. */
  private release(): void {
    if (!this.resource) return
    const resource = this.resource
    this.resource = null
    this.ports.fetch(resource, { method: 'DELETE', keepalive: true }).catch(() => undefined)
  }
}
