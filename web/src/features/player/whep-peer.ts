import type { WhepPeer } from './protocol/whep'
import type { IceServer } from '$lib/whip/headers'

/** The browser's peer connection behind the WHEP client's port, with the stream that it receives. */
export class BrowserWhepPeer implements WhepPeer {
  oncandidate: WhepPeer['oncandidate'] = () => undefined
  onstate: WhepPeer['onstate'] = () => undefined
  readonly stream = new MediaStream()
  private readonly connection: RTCPeerConnection

  /** @param kinds what is received */
  constructor(iceServers: RTCIceServer[], kinds: readonly ('video' | 'audio')[] = ['video', 'audio']) {
    this.connection = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' })
    for (const kind of kinds) this.connection.addTransceiver(kind, { direction: 'recvonly' })
    this.connection.ontrack = ({ track }) => this.stream.addTrack(track)
    this.connection.onconnectionstatechange = () => this.onstate(this.connection.connectionState)
    this.connection.onicecandidate = ({ candidate }) =>
      this.oncandidate(candidate && { candidate: candidate.candidate, sdpMid: candidate.sdpMid })
  }

  async offer(): Promise<string> {
    const offer = await this.connection.createOffer()
    // Opus in an offer without `stereo` is received as mono.
    const sdp = (offer.sdp ?? '').replace(/(a=fmtp:\d+ (?=.*useinbandfec)(?!.*stereo=).*)/g, '$1;stereo=1')
    await this.connection.setLocalDescription({ type: 'offer', sdp })
    return sdp
  }

  async accept(answer: string): Promise<void> {
    await this.connection.setRemoteDescription({ type: 'answer', sdp: answer })
  }

  useIceServers(servers: readonly IceServer[]): void {
    if (servers.length > 0) this.connection.setConfiguration({ iceServers: [...servers], bundlePolicy: 'max-bundle' })
  }

  /** An estimate of what lies between the room and this screen, in ms: half a round trip and the jitter buffer. */
  async delay_ms(): Promise<number | null> {
    let roundTrip_s = 0
    let buffer_s: number | null = null
    for (const item of (await this.connection.getStats()).values() as IterableIterator<Record<string, unknown>>) {
      if (item['type'] === 'candidate-pair' && item['nominated'] === true) {
        roundTrip_s = Number(item['currentRoundTripTime'] ?? 0)
      } else if (item['type'] === 'inbound-rtp' && item['kind'] === 'video') {
        const emitted = Number(item['jitterBufferEmittedCount'] ?? 0)
        if (emitted > 0) buffer_s = Number(item['jitterBufferDelay'] ?? 0) / emitted
      }
    }
    return buffer_s === null ? null : (roundTrip_s / 2 + buffer_s) * 1000
  }

  close(): void {
    this.connection.ontrack = null
    this.connection.onicecandidate = null
    this.connection.onconnectionstatechange = null
    this.connection.close()
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track)
  }
}
