import { describe, expect, it } from 'vitest'
import { errorCode, iceServersFromLink, retryAfterMs } from './headers'
import { candidateFragment, mergeFmtp, withOpus, withStartBitrate } from './sdp'

const ANSWER = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=mid:0',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  'a=rtpmap:111 opus/48000/2',
  'm=video 9 UDP/TLS/RTP/SAVPF 102 103',
  'a=mid:1',
  'a=rtpmap:102 H264/90000',
  'a=fmtp:102 packetization-mode=1;profile-level-id=42e01f',
  'a=rtpmap:103 rtx/90000',
  'a=fmtp:103 apt=102',
  '',
].join('\r\n')

describe('Opus parameters', () => {
  it('are added where the description has none', () => {
    expect(withOpus(ANSWER, { stereo: true, maxAverageBitrate: 160_000 })).toContain(
      'a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;usedtx=0;stereo=1;sprop-stereo=1;maxaveragebitrate=160000\r\n',
    )
  })

  it('replace what stands there, and say mono for speech', () => {
    const munged = withOpus(ANSWER.replace('m=video', 'a=fmtp:111 stereo=1;x=7\r\nm=video'), {
      stereo: false,
      maxAverageBitrate: 64_000,
    })
    expect(munged).toContain('a=fmtp:111 stereo=0;x=7;minptime=10')
    expect(munged.match(/a=fmtp:111/g)).toHaveLength(1)
  })

  it('leave a description without Opus alone', () => {
    const video = ANSWER.replace('opus/48000/2', 'PCMU/8000')
    expect(withOpus(video, { stereo: true, maxAverageBitrate: 1 })).toBe(video)
  })
})

describe('the start bitrate', () => {
  it('goes to video codecs only, never to their retransmissions', () => {
    const munged = withStartBitrate(ANSWER, 2700, 4500)
    expect(munged).toContain('42e01f;x-google-start-bitrate=2700;x-google-max-bitrate=4500')
    expect(munged).toContain('a=fmtp:103 apt=102\r\n')
  })

  it('respects what the server asked for', () => {
    const own = mergeFmtp(ANSWER, ['102'], { 'x-google-start-bitrate': 1000 })
    expect(withStartBitrate(own, 2700, 4500)).toContain('x-google-start-bitrate=1000;x-google-max-bitrate=4500')
  })
})

describe('a trickle fragment', () => {
  it('has credentials, pseudo m-lines, mids and candidates', () => {
    const fragment = candidateFragment(
      ANSWER,
      [{ candidate: 'candidate:1 1 udp 9 192.0.2.1 9 typ host', sdpMid: '0' }],
      true,
    )
    expect(fragment).toBe(
      [
        'a=ice-ufrag:abcd',
        'a=ice-pwd:0123456789012345678901',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111',
        'a=mid:0',
        'a=candidate:1 1 udp 9 192.0.2.1 9 typ host',
        'a=end-of-candidates',
        '',
      ].join('\r\n'),
    )
  })
})

describe('headers', () => {
  it('name ICE servers, with quoted commas and other links between', () => {
    expect(
      iceServersFromLink(
        '<stun:s.example:3478>; rel="ice-server", <https://x>; rel="help", <turn:t.example?transport=udp>; rel="ice-server"; username="a,b"; credential="c\\"d"; credential-type="password"',
      ),
    ).toEqual([
      { urls: ['stun:s.example:3478'] },
      { urls: ['turn:t.example?transport=udp'], username: 'a,b', credential: 'c"d' },
    ])
    expect(iceServersFromLink(null)).toEqual([])
  })

  it('bound how long a server may make us wait', () => {
    expect(retryAfterMs('3', 0)).toBe(3000)
    expect(retryAfterMs('99999', 0)).toBe(60_000)
    expect(retryAfterMs(new Date(5000).toUTCString(), 0)).toBe(5000)
    expect(retryAfterMs('soon', 0)).toBeNull()
  })

  it('carry the error code, or nothing', () => {
    expect(errorCode('{"error":{"code":"source_occupied"}}')).toBe('source_occupied')
    expect(errorCode('<html>502</html>')).toBe('')
  })
})
