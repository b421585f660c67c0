// A stand-in for the server, for trying the viewers' pages: built shells with configuration and policy, the API's room, and
// an LL-HLS broadcast with parts, made by ffmpeg, at the pace of the clock. Its faults are at hand: POST /_test takes
// {"state": "off"|"slate"|"live", "fail": status, "refuse": true, "broadcast": name, "delay_ms": n}.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const CACHE = join(tmpdir(), 'streamer-web-origin')
const LENGTH_S = 600
const PARTS = 6
const PART_S = 1 / 3
const SEGMENT_S = 2
const POLICY =
  "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' data: blob:; connect-src 'self'; style-src 'self' 'unsafe-inline'"
const TYPES = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
}

const RENDITIONS = {
  v720: { size: '1280x720', bitrate: 1200, codecs: 'avc1.42c01f', level: '3.1' },
  v360: { size: '640x360', bitrate: 400, codecs: 'avc1.42c01e', level: '3.0' },
  audio: { codecs: 'mp4a.40.2' },
}

function make(name, rendition) {
  const file = join(CACHE, `${name}.mp4`)
  if (existsSync(file)) return file
  mkdirSync(CACHE, { recursive: true })
  const source = rendition.size
    ? ['-f', 'lavfi', '-i', `testsrc2=size=${rendition.size}:rate=30,format=yuv420p`]
    : ['-f', 'lavfi', '-i', 'sine=frequency=330:beep_factor=3:sample_rate=48000']
  const codec = rendition.size
    ? [
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-profile:v',
        'baseline',
        '-level',
        rendition.level,
        '-b:v',
        `${rendition.bitrate}k`,
      ]
        .concat([
          '-maxrate',
          `${rendition.bitrate}k`,
          '-bufsize',
          `${rendition.bitrate}k`,
          '-g',
          '60',
          '-keyint_min',
          '60',
          '-sc_threshold',
          '0',
        ])
        .concat(['-frag_duration', '333333', '-video_track_timescale', '90000'])
    : ['-c:a', 'aac', '-b:a', '96k', '-ac', '2', '-frag_duration', '1']
  const flags = ['-movflags', 'empty_moov+default_base_moof+skip_trailer', '-use_editlist', '0']
  const made = spawnSync('ffmpeg', [
    '-y',
    '-v',
    'error',
    ...source,
    '-t',
    String(LENGTH_S),
    ...codec,
    ...flags,
    '-f',
    'mp4',
    file,
  ])
  if (made.status !== 0) throw new Error(`ffmpeg: ${made.stderr}`)
  return file
}

/** Splits a fragmented file into its init section and its fragments (moof and mdat), with each fragment's duration. */
function split(bytes) {
  const init = []
  const fragments = []
  let at = 0
  let moof = null
  while (at + 8 <= bytes.length) {
    const size = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const box = bytes.subarray(at, at + size)
    if (type === 'moof') moof = box
    else if (type === 'mdat' && moof) fragments.push(Buffer.concat([moof, box]))
    else if (type !== 'mfra') init.push(box)
    at += size
  }
  return { init: Buffer.concat(init), fragments }
}

const media = {}
for (const [name, rendition] of Object.entries(RENDITIONS)) {
  const { init, fragments } = split(readFileSync(make(name, rendition)))
  // Sound comes a frame to a fragment; its parts are the frames that begin in the time of the picture's.
  const frameOf = (part) => Math.ceil((part * PART_S * 48_000) / 1024)
  const parts = rendition.size
    ? fragments
    : Array.from({ length: LENGTH_S * 3 }, (_, part) =>
        Buffer.concat(fragments.slice(frameOf(part), frameOf(part + 1))),
      )
  if (parts.length !== LENGTH_S * 3) throw new Error(`${name}: ${parts.length} parts`)
  media[name] = { ...rendition, init, parts }
}

const state = {
  room: 'live',
  fail: 0,
  refuse: false,
  broadcast: 'b1',
  delay_ms: 0,
  title: null,
  started_ms: Date.now() - 60_000,
}
const waiting = new Set()
const partsReady = () => Math.min(Math.floor((Date.now() - state.started_ms) / 1000 / PART_S), LENGTH_S * 3 - PARTS)

function multivariant(query) {
  const lines = ['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-INDEPENDENT-SEGMENTS']
  lines.push(
    `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,URI="${state.broadcast}/audio.m3u8${query}"`,
  )
  for (const name of ['v360', 'v720']) {
    const { size, bitrate, codecs } = RENDITIONS[name]
    lines.push(
      `#EXT-X-STREAM-INF:BANDWIDTH=${(bitrate + 120) * 1000},RESOLUTION=${size},FRAME-RATE=30,CODECS="${codecs},mp4a.40.2",AUDIO="a"`,
    )
    lines.push(`${state.broadcast}/${name}.m3u8${query}`)
  }
  lines.push('#EXT-X-STREAM-INF:BANDWIDTH=120000,CODECS="mp4a.40.2",AUDIO="a"', `${state.broadcast}/audio.m3u8${query}`)
  return lines.join('\n') + '\n'
}

function playlist(name, dvr, ready) {
  const last = Math.floor(ready / PARTS)
  const first = Math.max(0, last - (dvr ? 10_000 : 15))
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    '#EXT-X-TARGETDURATION:3',
    `#EXT-X-PART-INF:PART-TARGET=${PART_S.toFixed(5)}`,
  ]
  lines.push('#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.05,HOLD-BACK=9')
  lines.push(`#EXT-X-MEDIA-SEQUENCE:${first}`, '#EXT-X-DISCONTINUITY-SEQUENCE:0', `#EXT-X-MAP:URI="${name}/init.mp4"`)
  for (let msn = first; msn <= last; msn++) {
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(state.started_ms + msn * SEGMENT_S * 1000).toISOString()}`)
    const count = msn === last ? ready % PARTS : PARTS
    if (msn > last - 4) {
      for (let part = 0; part < count; part++) {
        const independent = part === 0 || name === 'audio' ? ',INDEPENDENT=YES' : ''
        lines.push(`#EXT-X-PART:DURATION=${PART_S.toFixed(5)},URI="${name}/${msn}.${part}.m4s"${independent}`)
      }
    }
    if (msn < last) lines.push('#EXTINF:2.00000,', `${name}/${msn}.m4s`)
  }
  lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${name}/${last}.${ready % PARTS}.m4s"`)
  for (const other of Object.keys(RENDITIONS)) {
    if (other !== name)
      lines.push(
        `#EXT-X-RENDITION-REPORT:URI="${other}.m3u8",LAST-MSN=${last},LAST-PART=${Math.max(0, (ready % PARTS) - 1)}`,
      )
  }
  return lines.join('\n') + '\n'
}

function until(parts, deliver) {
  const entry = { parts, deliver, late_ms: Date.now() + 9_000 }
  if (partsReady() >= parts) deliver(true)
  else waiting.add(entry)
}
setInterval(() => {
  for (const entry of waiting) {
    if (partsReady() >= entry.parts || Date.now() > entry.late_ms) {
      waiting.delete(entry)
      entry.deliver(partsReady() >= entry.parts)
    }
  }
}, 20).unref()

function shell(page, room) {
  const config = {
    page,
    room: room && { id: room, name: 'Salle Turing', venue: 'Nantes' },
    publicUrl: '',
    version: 'test',
    whep: true,
    iceServers: [],
  }
  const tag = `<script type="application/json" id="streamer-config">${JSON.stringify(config)}</script>`
  return readFileSync(join(DIST, `${page === 'home' ? 'index' : page}.html`), 'utf8').replace(
    '</head>',
    `${tag}</head>`,
  )
}

const STILL = (() => {
  const made = spawnSync('ffmpeg', [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=480x270',
    '-frames:v',
    '1',
    '-q:v',
    '8',
    '-f',
    'mjpeg',
    '-',
  ])
  return made.stdout
})()

function room(id) {
  const { title } = state
  const session = title ? { title } : null
  return { id, name: 'Salle Turing', venue: 'Nantes', state: state.room, sources: {}, session, next: null }
}

export const log = []

function handle(request, response) {
  const url = new URL(request.url, 'http://origin')
  const send = (status, type, body, headers = {}) =>
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers }).end(body)
  const json = (status, body) => send(status, 'application/json', JSON.stringify(body))
  const path = url.pathname
  log.push({ at_ms: Date.now(), path: path + url.search })
  if (path === '/_test') {
    let body = ''
    request.on('data', (data) => (body += data))
    request.on('end', () => {
      const wish = JSON.parse(body || '{}')
      if (wish.state) state.room = wish.state
      for (const key of ['fail', 'refuse', 'broadcast', 'delay_ms', 'title', 'started_ms'])
        if (key in wish) state[key] = wish[key]
      json(200, { ...state, log: log.splice(0) })
    })
    return
  }
  if (state.refuse) return request.socket.destroy()
  if (state.fail && !path.startsWith('/assets')) return send(state.fail, 'text/html', 'no')
  const page = /^\/(watch|embed|studio)\/([\w-]+)$/.exec(path)
  const headers = { 'Content-Security-Policy': POLICY }
  if (path === '/') return send(200, TYPES['.html'], shell('home', null), headers)
  if (page) return send(200, TYPES['.html'], shell(page[1], page[2] === 'nowhere' ? null : page[2]), headers)
  if (path.startsWith('/assets/') && existsSync(join(DIST, path))) {
    return send(200, TYPES[extname(path)] ?? 'application/octet-stream', readFileSync(join(DIST, path)), {
      'Cache-Control': 'max-age=60',
    })
  }
  if (path === '/api/v1/rooms')
    return json(200, { items: [room('demo'), { ...room('off'), name: 'Atelier', state: 'off' }], cursor: null })
  const api = /^\/api\/v1\/rooms\/([\w-]+)$/.exec(path)
  if (api)
    return api[1] === 'nowhere' ? json(404, { error: { code: 'not_found', message: '' } }) : json(200, room(api[1]))
  if (path.startsWith('/whep/')) return json(503, { error: { code: 'whep_full', message: '' } })
  if (!path.startsWith('/live/demo/') || state.room === 'off')
    return json(404, { error: { code: 'not_on_air', message: '' } })
  setTimeout(() => live(path.slice('/live/demo/'.length), url.searchParams, send), state.delay_ms)
}

function live(path, query, send) {
  const suffix = query.get('dvr') ? '?dvr=1' : ''
  const none = () => send(404, 'application/json', '{"error":{"code":"not_found","message":""}}')
  const m3u8 = 'application/vnd.apple.mpegurl'
  if (path === 'index.m3u8') return send(200, m3u8, multivariant(suffix))
  if (path === 'still.jpg') return send(200, 'image/jpeg', STILL)
  const [broadcast, ...rest] = path.split('/')
  if (broadcast !== state.broadcast) return none()
  const list = /^(\w+)\.m3u8$/.exec(rest.join('/'))
  if (list) {
    if (!media[list[1]]) return none()
    const msn = query.get('_HLS_msn')
    const wanted =
      msn === null ? 0 : Number(msn) * PARTS + (query.has('_HLS_part') ? Number(query.get('_HLS_part')) + 1 : PARTS)
    return until(wanted, (there) => send(there ? 200 : 503, m3u8, playlist(list[1], suffix !== '', partsReady())))
  }
  const file = /^(\w+)\/(?:(init)\.mp4|(\d+)(?:\.(\d+))?\.m4s)$/.exec(rest.join('/'))
  const track = file && media[file[1]]
  if (!track) return none()
  const type = file[1] === 'audio' ? 'audio/mp4' : 'video/mp4'
  if (file[2]) return send(200, type, track.init)
  const from = Number(file[3]) * PARTS + Number(file[4] ?? 0)
  const to = file[4] === undefined ? from + PARTS : from + 1
  until(to, (there) => (there ? send(200, type, Buffer.concat(track.parts.slice(from, to))) : none()))
}

const port = Number(process.argv[2] ?? 18180)
createServer(handle).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/watch/demo`))
