// OBS, as far as a server sees it: libdatachannel, an offer without candidates, High that the SDP calls 42e01f, key frames
// when its encoder likes, no answer to PLI.

import datachannel from 'node-datachannel'
import { play, post } from './whip.mjs'

const AUDIO = { ssrc: 1111, type: 111, rate: 48_000 }
const VIDEO = { ssrc: 2222, type: 96, rate: 90_000 }

const pc = new datachannel.PeerConnection('obs', { iceServers: [], disableAutoNegotiation: true })

const audio = new datachannel.Audio('0', 'SendOnly')
audio.addOpusCodec(AUDIO.type, 'minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1')
audio.addSSRC(AUDIO.ssrc, 'obs', 'obs', 'obs-audio')
const sound = pc.addTrack(audio)
const sound_config = new datachannel.RtpPacketizationConfig(AUDIO.ssrc, 'obs', AUDIO.type, AUDIO.rate)
const sound_packets = new datachannel.RtpPacketizer(sound_config)
sound_packets.addToChain(new datachannel.RtcpSrReporter(sound_config))
sound.setMediaHandler(sound_packets)

const video = new datachannel.Video('1', 'SendOnly')
video.addH264Codec(VIDEO.type, 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1')
video.addSSRC(VIDEO.ssrc, 'obs', 'obs', 'obs-video')
const picture = pc.addTrack(video)
const picture_config = new datachannel.RtpPacketizationConfig(VIDEO.ssrc, 'obs', VIDEO.type, VIDEO.rate)
const picture_packets = new datachannel.H264RtpPacketizer('StartSequence', picture_config, 1200)
picture_packets.addToChain(new datachannel.RtcpSrReporter(picture_config))
picture_packets.addToChain(new datachannel.RtcpNackResponder())
picture.setMediaHandler(picture_packets)

const connected = new Promise((resolve) => pc.onStateChange((state) => state === 'connected' && resolve()))
pc.setLocalDescription('offer')
const lines = pc.localDescription().sdp.split('\r\n')
const bare = lines.filter((line) => !/^a=(candidate|end-of-candidates)/.test(line)).join('\r\n')
const { answer, resource } = await post(bare, 'Mozilla/5.0 (OBS-Studio/32.1.0; Linux x86_64; en-US)')
pc.setRemoteDescription(answer, 'answer')
await connected
while (!picture.isOpen() || !sound.isOpen()) await new Promise((resolve) => setTimeout(resolve, 5))

await play(
  resource,
  (frame) => {
    const [track, config, rate] = frame.video ? [picture, picture_config, VIDEO.rate] : [sound, sound_config, AUDIO.rate]
    config.timestamp = Math.round((frame.at_us * rate) / 1e6) >>> 0
    track.sendMessageBinary(frame.data)
  },
  () => pc.close(),
)
