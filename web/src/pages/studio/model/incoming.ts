/** The picture of another publisher, as the room's crew may see it before anybody else: WHEP of one source, with retries. */

import { WhepClient, type WhepState } from '$features/player/protocol/whep'
import { BrowserWhepPeer } from '$features/player/whep-peer'
import { authorization } from '$lib/api/client'

const AGAIN_MS = 4_000

export class Incoming {
  private client: WhepClient | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private closed = false

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly endpoint: string,
    private readonly token: string,
    private readonly iceServers: RTCIceServer[],
    private readonly onstate: (state: WhepState) => void,
  ) {}

  start(): void {
    const peer = new BrowserWhepPeer(this.iceServers)
    const ports = {
      fetch: (input: string, init: RequestInit) =>
        fetch(input, {
          ...init,
          headers: { ...(init.headers as Record<string, string>), ...authorization(this.token) },
        }),
      now: () => Date.now(),
    }
    this.client = new WhepClient(this.endpoint, peer, ports, (state) => {
      if (this.closed) return
      this.onstate(state)
      if (state === 'failed') this.timer = setTimeout(() => this.start(), AGAIN_MS)
    })
    this.video.srcObject = peer.stream
    void this.client.start()
    void this.video.play().catch(() => undefined)
  }

  stop(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.client?.close()
    this.video.srcObject = null
  }
}
