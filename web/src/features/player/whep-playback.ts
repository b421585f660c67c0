import { WhepClient, type WhepFailure } from './protocol/whep'
import { BrowserWhepPeer } from './whep-peer'

const FIRST_FRAME_MS = 5_000

/** The public output by WHEP in a media element, until it fails or is closed. */
export class WhepPlayback {
  private readonly peer: BrowserWhepPeer
  private readonly client: WhepClient
  private timer: ReturnType<typeof setTimeout> | undefined
  private closed = false

  /**
   * @param onconnected media flows, or is about to
   * @param onfailed told once: full, refused, lost, or no picture in time
   */
  constructor(
    private readonly media: HTMLVideoElement,
    endpoint: string,
    iceServers: RTCIceServer[],
    onconnected: () => void,
    private readonly onfailed: (failure: WhepFailure | null) => void,
  ) {
    this.peer = new BrowserWhepPeer(iceServers)
    const ports = { fetch: (input: string, init: RequestInit) => fetch(input, init), now: () => Date.now() }
    this.client = new WhepClient(endpoint, this.peer, ports, (state, failure) => {
      if (this.closed) return
      if (state === 'playing') {
        clearTimeout(this.timer)
        this.timer = setTimeout(() => {
          if (media.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) this.fail({ reason: 'unreachable' })
        }, FIRST_FRAME_MS)
        onconnected()
      }
      if (state === 'failed') this.fail(failure)
    })
    media.srcObject = this.peer.stream
    void this.client.start()
  }

  /** The age of the picture that is shown; null while unknown. */
  async delay_ms(): Promise<number | null> {
    const delay_ms = await this.peer.delay_ms()
    // The time in the camera and the codecs is not in it: a tenth of a second is the least that can be true.
    return delay_ms && Math.max(100, delay_ms)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.timer)
    this.client.close()
    this.media.srcObject = null
  }

  private fail(failure: WhepFailure | null): void {
    if (!this.closed) this.onfailed(failure)
  }
}
