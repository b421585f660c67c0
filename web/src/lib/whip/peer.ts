/** The browser's peer connection behind the port that `client.ts` publishes through. The edge: no decisions here. */

import type { EncoderOptions, OutgoingTracks, Peer } from './client'
import type { IceServer } from './headers'

/** H.264 first: its bits go to the viewers as they are. VP8 next, for browsers without an H.264 encoder. */
const CODEC_ORDER = ['video/h264', 'video/vp8', 'video/rtx', 'video/red', 'video/ulpfec']

/**
 * `RTCRtpSender.setParameters` knows it in every engine, but the DOM library's types may not.
 */
interface SendParameters extends RTCRtpSendParameters {
  degradationPreference?: EncoderOptions['video']['degradation']
}

export class BrowserPeer implements Peer {
  onCandidate: Peer['onCandidate'] = () => undefined
  onState: Peer['onState'] = () => undefined
  readonly connection: RTCPeerConnection
  private readonly video: RTCRtpTransceiver
  private readonly audio: RTCRtpTransceiver
  private offer: RTCSessionDescriptionInit | null = null
  private servers: IceServer[]

  constructor(tracks: OutgoingTracks, options: EncoderOptions, iceServers: readonly IceServer[]) {
    this.servers = [...iceServers]
    this.connection = new RTCPeerConnection({ iceServers: this.servers, bundlePolicy: 'max-bundle' })
    const stream = new MediaStream()
    // Both sections are always there, so that a microphone that is plugged in later needs no new connection.
    this.audio = this.connection.addTransceiver(tracks.audio ?? 'audio', { direction: 'sendonly', streams: [stream] })
    this.video = this.connection.addTransceiver(tracks.video ?? 'video', {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [{ maxBitrate: options.video.maxBitrate, maxFramerate: options.video.maxFramerate }],
    })
    preferH264(this.video)
    this.connection.onicecandidate = ({ candidate }) => {
      this.onCandidate(
        candidate && {
          candidate: candidate.candidate,
          sdpMid: candidate.sdpMid,
          usernameFragment: candidate.usernameFragment,
        },
      )
    }
    this.connection.onconnectionstatechange = () => this.onState(this.connection.connectionState)
  }

  async createOffer(): Promise<string> {
    this.offer = await this.connection.createOffer()
    return this.offer.sdp ?? ''
  }

  async apply(answer: string): Promise<void> {
    if (this.offer === null) throw new Error('no offer was made')
    await this.connection.setLocalDescription(this.offer)
    await this.connection.setRemoteDescription({ type: 'answer', sdp: answer })
  }

  useIceServers(servers: readonly IceServer[]): void {
    const known = new Set(this.servers.flatMap((server) => server.urls))
    const added = servers.filter((server) => server.urls.some((url) => !known.has(url)))
    if (added.length === 0) return
    this.servers = [...this.servers, ...added]
    this.connection.setConfiguration({ iceServers: this.servers, bundlePolicy: 'max-bundle' })
  }

  async replaceTracks(tracks: OutgoingTracks): Promise<void> {
    const replace = async (sender: RTCRtpSender, track: MediaStreamTrack | null): Promise<void> => {
      if (sender.track !== track) await sender.replaceTrack(track)
    }
    await Promise.all([replace(this.video.sender, tracks.video), replace(this.audio.sender, tracks.audio)])
  }

  async configure(options: EncoderOptions): Promise<void> {
    await this.parameters(this.video.sender, (parameters) => {
      parameters.degradationPreference = options.video.degradation
      for (const encoding of parameters.encodings) {
        encoding.maxBitrate = options.video.maxBitrate
        encoding.maxFramerate = options.video.maxFramerate
        encoding.scaleResolutionDownBy = 1
        encoding.networkPriority = 'medium'
      }
    })
    await this.parameters(this.audio.sender, (parameters) => {
      for (const encoding of parameters.encodings) {
        encoding.maxBitrate = options.audio.maxAverageBitrate
        encoding.networkPriority = 'high'
        encoding.priority = 'high'
      }
    })
  }

  getStats(): Promise<RTCStatsReport> {
    return this.connection.getStats()
  }

  close(): void {
    this.connection.onicecandidate = null
    this.connection.onconnectionstatechange = null
    this.connection.close()
  }

  private async parameters(sender: RTCRtpSender, change: (parameters: SendParameters) => void): Promise<void> {
    const parameters = sender.getParameters()
    // Engines older than their own promise give no encodings before negotiation; then the SDP's limits have to do.
    if (parameters.encodings.length === 0) return
    change(parameters)
    try {
      await sender.setParameters(parameters)
    } catch {
      // A field that this engine refuses must not cost the publication.
    }
  }
}

function preferH264(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpSender.getCapabilities('video')?.codecs
  if (!codecs || typeof transceiver.setCodecPreferences !== 'function') return
  const rank = (codec: { mimeType: string; sdpFmtpLine?: string }): number => {
    const place = CODEC_ORDER.indexOf(codec.mimeType.toLowerCase())
    // Packetization mode 1 carries frames larger than a packet without slices; servers take no other.
    const single = codec.mimeType.toLowerCase() === 'video/h264' && !codec.sdpFmtpLine?.includes('packetization-mode=1')
    return (place < 0 ? CODEC_ORDER.length : place) + (single ? 0.5 : 0)
  }
  const wanted = codecs.filter((codec) => rank(codec) < CODEC_ORDER.length).sort((a, b) => rank(a) - rank(b))
  if (wanted.length > 0) transceiver.setCodecPreferences(wanted)
}
