import { describe, expect, it } from 'vitest'
import { attribute, audioPlaylist, offsetOf, playlistWindow, withGapsClosed } from './playlist'

const MULTIVARIANT = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="fr",URI="b/fr.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Sound, stereo",DEFAULT=YES,URI="b1/audio.m3u8?dvr=1"
#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=640x360,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="a"
b1/v360.m3u8
`

describe('audioPlaylist', () => {
  it('finds the audio group’s rendition, with its query', () => {
    expect(audioPlaylist(MULTIVARIANT, 'https://live.example/live/turing/index.m3u8?dvr=1')).toBe(
      'https://live.example/live/turing/b1/audio.m3u8?dvr=1',
    )
  })

  it('takes the leanest of several variants without a picture', () => {
    const variant = (bandwidth: number, uri: string) =>
      `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},CODECS="mp4a.40.2",AUDIO="a"\n${uri}\n`
    const text = MULTIVARIANT + variant(154_000, 'b1/a128.m3u8') + variant(58_000, 'b1/a48.m3u8')
    expect(audioPlaylist(text, 'https://live.example/live/turing/index.m3u8')).toBe(
      'https://live.example/live/turing/b1/a48.m3u8',
    )
  })

  it('takes the variant without a picture where there is no group', () => {
    const text = '#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=90000,CODECS="mp4a.40.2"\r\n\r\nsound.m3u8\r\n'
    expect(audioPlaylist(text, 'https://live.example/x/index.m3u8')).toBe('https://live.example/x/sound.m3u8')
  })

  it('finds none where there is none', () => {
    expect(
      audioPlaylist('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1\nv.m3u8\n', 'https://a.example/'),
    ).toBeNull()
    expect(audioPlaylist('<html>', 'https://a.example/')).toBeNull()
  })
})

it('attribute reads quoted values with commas, and no name’s tail', () => {
  const line = '#EXT-X-MEDIA:GROUP-ID="a,b",ID=7'
  expect(attribute(line, 'GROUP-ID')).toBe('a,b')
  expect(attribute(line, 'ID')).toBe('7')
  expect(attribute(line, 'URI')).toBeNull()
})

describe('playlistWindow', () => {
  const start_ms = Date.UTC(2026, 10, 24, 10, 0, 0)
  const text = `#EXTM3U
#EXT-X-TARGETDURATION:3
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T10:00:00.000Z
#EXTINF:2.00000,
1.m4s
#EXTINF:2.00000,
2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T10:01:00.000Z
#EXTINF:1.5,
3.m4s
#EXT-X-PART:DURATION=0.33333,URI="4.0.m4s"
`

  it('reads where it starts and ends, over a jump in time', () => {
    expect(playlistWindow(text)).toMatchObject({ start_ms, end_ms: start_ms + 61_500 })
  })

  it('places a date by its segment, not by the clock', () => {
    const window = playlistWindow(text)
    if (!window) throw new Error('no window')
    expect(offsetOf(window, start_ms + 3_000)).toBeCloseTo(3)
    expect(offsetOf(window, start_ms + 60_500)).toBeCloseTo(4.5)
    expect(offsetOf(window, start_ms - 60_000)).toBeCloseTo(2)
    expect(offsetOf(window, start_ms + 600_000)).toBeCloseTo(5.5)
  })

  it('is none without segments or dates', () => {
    expect(playlistWindow('#EXTM3U\n')).toBeNull()
    expect(playlistWindow('#EXTM3U\n#EXTINF:2,\n1.m4s\n')).toBeNull()
  })
})

describe('the holes of a recording', () => {
  const segment = (date: string, duration: string, name: string) =>
    `#EXT-X-PROGRAM-DATE-TIME:2026-11-24T${date}Z\n#EXTINF:${duration},\n${name}`
  const durations = (...segments: string[]) =>
    [...withGapsClosed(['#EXTM3U', ...segments, ''].join('\n')).matchAll(/#EXTINF:([\d.]+),/g)].map((match) =>
      Number(match[1]),
    )

  it('are counted in the duration before them, and nothing else is changed', () => {
    const whole = [
      '#EXTM3U',
      segment('09:00:00.000', '2.00000', '0.m4s'),
      segment('09:00:02.000', '2.00000', '1.m4s'),
      '',
    ].join('\n')
    expect(withGapsClosed(whole)).toBe(whole)
    expect(
      durations(
        segment('09:00:00.000', '0.33334', '0.m4s'),
        '#EXT-X-DISCONTINUITY',
        segment('09:00:02.000', '1.80000', '1.m4s'),
        segment('09:00:04.000', '2.00000', '2.m4s'),
      ),
    ).toEqual([2, 2, 2])
  })

  it('are none where a cut left something out, or where segments overlap', () => {
    expect(
      durations(
        segment('09:00:00.000', '2.00000', '0.m4s'),
        segment('09:05:00.000', '2.00000', '1.m4s'),
        segment('09:05:01.900', '2.00000', '2.m4s'),
      ),
    ).toEqual([2, 2, 2])
  })
})
