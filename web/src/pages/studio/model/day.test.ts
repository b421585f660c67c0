import { describe, expect, it, vi } from 'vitest'
import { readSession, type Alarm, type Session } from '$lib/protocol/day'
import type { LivePorts, WireSocket } from '$lib/live/socket'
import { actionWords } from '$features/actions/locales/actions'
import { alarmWords, en, errorWords } from '../locales/day'
import { inOrder, open, Ringing } from './alarms'
import { Api } from '$lib/api/client'
import { iconFor, withCount } from './attention'
import { clockTimeIn, shortTimeIn } from './clock'
import { readCrewRoom, type CrewRoom } from './crew-room'
import { Day } from './day.svelte'
import { lampOf, mayGoOnAir, recOf, seenByItsOwn } from './lamp'
import {
  clockOf,
  doubtAbout,
  endMoments,
  flagsOf,
  isAsking,
  notBefore,
  runningOrder,
  startMoments,
  tapsOf,
} from './order'
import { shortcut } from './shortcuts'
import { commandOf, keyOf, readOutcome, requestOf, type Tap } from './taps'

const MINUTE_MS = 60_000
const NINE_MS = Date.UTC(2026, 10, 24, 8, 0) // 9:00 in Paris
const RUN = ['session.run', 'session.delay', 'session.cancel', 'session.answer']

const at = (minutes: number) => new Date(NINE_MS + minutes * MINUTE_MS).toISOString()

/** A session's JSON as the API gives it to the crew; minutes after nine. */
function body(id: string, from: number, to: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id,
    room: 'turing',
    title: id.toUpperCase(),
    state: 'scheduled',
    kind: 'conference',
    visibility: 'public',
    start: at(from),
    end: at(to),
    shown_start: at(from),
    shown_end: at(to),
    key: '',
    live_url: '/live/turing/index.m3u8',
    record_answer: null,
    stream_answer: null,
    ...more,
  }
}

function session(id: string, from: number, to: number, more: Record<string, unknown> = {}): Session {
  const read = readSession(body(id, from, to, more))
  if (!read) throw new Error('no session')
  return read
}

const running = (id: string, from: number, to: number, started: number, more: Record<string, unknown> = {}) =>
  session(id, from, to, { state: 'on_air', started_at_ms: NINE_MS + started * MINUTE_MS, ...more })

function room(more: Partial<CrewRoom> = {}): CrewRoom {
  const read = readCrewRoom({ state: 'slate', word: 'before', orders: { public: 'slate', record: true }, shows: {} })
  if (!read) throw new Error('no room')
  return { ...read, ...more }
}

describe('the room’s big state', () => {
  const live = { state: 'live', shows: { public: 'programme' }, mediaUp: true } as const

  it('is a preview while something comes in and nobody sees it', () => {
    expect(lampOf(room())).toBe('standby')
    expect(lampOf(room({ mediaUp: true }))).toBe('preview')
  })

  it('is on air once viewers have it, not when it was ordered', () => {
    const ordered = { ...room().orders, public: 'programme' as const }
    const started = running('a', 0, 45, 0)
    const going = room({ session: started, mediaUp: true, orders: ordered })
    expect(lampOf(going)).toBe('starting')
    expect(lampOf({ ...going, ...live })).toBe('on_air')
    expect(lampOf({ ...going, mediaUp: false })).toBe('no_media')
  })

  it('says on air whatever was ordered, as long as viewers see it', () => {
    const hold = { message: '', since_ms: NINE_MS, until_ms: null }
    expect(lampOf(room({ ...live, hold, word: 'hold' }))).toBe('on_air')
    expect(lampOf(room({ hold, word: 'hold' }))).toBe('hold')
    expect(lampOf(room({ ...live, shows: { public: 'picture_muted' } }))).toBe('picture_only')
  })

  it('knows closed sessions before and while they run, and whether their own audience sees them', () => {
    const closed = running('p', 0, 45, 0, { visibility: 'private', key: 'sesame' })
    const reserved = room({ word: 'reserved', mediaUp: true })
    expect(lampOf(reserved)).toBe('reserved')
    const on = room({ word: 'reserved', session: closed, mediaUp: true, shows: { '~p': 'programme' } })
    expect(lampOf(on)).toBe('private')
    expect(seenByItsOwn(on)).toBe(true)
    expect(seenByItsOwn({ ...on, shows: { '~p': 'slate' } })).toBe(false)
    expect(seenByItsOwn(reserved)).toBe(false)
  })

  it('tells the technician’s slate from a session that is not streamed', () => {
    const on = running('a', 0, 45, 0)
    expect(lampOf(room({ session: on, mediaUp: true, slate: true, word: 'paused' }))).toBe('slate')
    expect(lampOf(room({ session: on, mediaUp: true, word: 'not_streamed' }))).toBe('not_streamed')
  })
})

describe('what goes on air without a plan', () => {
  it('is offered while something comes in, nothing runs and nothing is planned for the day', () => {
    const preview = room({ mediaUp: true, word: 'free' })
    expect(mayGoOnAir(preview, NINE_MS)).toBe(true)
    expect(mayGoOnAir({ ...preview, mediaUp: false }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, session: running('a', 0, 45, 0) }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, next: session('b', 60, 90) }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, next: session('b', 721, 780) }, NINE_MS)).toBe(true)
    expect(mayGoOnAir({ ...preview, word: 'reserved' }, NINE_MS)).toBe(false)
    expect(mayGoOnAir({ ...preview, hold: { message: '', since_ms: NINE_MS, until_ms: null } }, NINE_MS)).toBe(false)
  })
})

describe('whether it is recorded', () => {
  const on = running('a', 0, 45, 0)
  const unrecorded = { ...room().orders, record: false }

  it('follows the orders and the media', () => {
    expect(recOf(room())).toBe('idle')
    expect(recOf(room({ session: on, mediaUp: true }))).toBe('recording')
    expect(recOf(room({ session: on }))).toBe('waiting')
    expect(recOf(room({ session: on, mediaUp: true, orders: unrecorded }))).toBe('not_recorded')
  })

  it('is told before an unrecorded session begins', () => {
    const armed = session('b', 0, 45, { state: 'armed' })
    expect(recOf(room({ next: armed, orders: unrecorded }))).toBe('not_recorded')
  })

  it('is no recording when the disk does not take it', () => {
    const alarm = { id: 'd', code: 'disk_full' } as Alarm
    expect(recOf(room({ session: on, mediaUp: true, alarms: [alarm] }))).toBe('failing')
  })
})

describe('the running order', () => {
  it('is the venue’s day, which ends at four in the morning, and whatever runs', () => {
    const late = session('late', 15 * 60, 16 * 60) // midnight to one
    const tomorrow = session('tomorrow', 24 * 60, 25 * 60)
    const yesterday = session('yesterday', -24 * 60, -23 * 60)
    const stuck = running('stuck', -24 * 60, -23 * 60, -24 * 60)
    const all = [tomorrow, late, session('a', 0, 45), yesterday, stuck]
    expect(runningOrder(all, NINE_MS, 'Europe/Paris').map(({ id }) => id)).toEqual(['stuck', 'a', 'late'])
  })

  it('counts elapsed, left and over', () => {
    const on = running('a', 0, 45, 7)
    expect(clockOf(on, on.end_ms, NINE_MS + 37 * MINUTE_MS)).toMatchObject({
      elapsed_ms: 30 * MINUTE_MS,
      left_ms: 8 * MINUTE_MS,
      over_ms: 0,
    })
    expect(clockOf(on, on.end_ms, NINE_MS + 50 * MINUTE_MS)).toMatchObject({ left_ms: 0, over_ms: 5 * MINUTE_MS })
  })
})

describe('a late tap', () => {
  const now_ms = NINE_MS + 10 * MINUTE_MS

  it('offers one and three minutes ago and the first words', () => {
    const firstWords_ms = NINE_MS + 7 * MINUTE_MS + 12_000
    expect(startMoments({ now_ms, notBefore_ms: 0, firstWords_ms })).toEqual([
      { id: 'now', at_ms: null },
      { id: 'ago1', at_ms: now_ms - MINUTE_MS },
      { id: 'ago3', at_ms: now_ms - 3 * MINUTE_MS },
      { id: 'words', at_ms: firstWords_ms },
    ])
  })

  it('offers nothing that lies in another session, or more than half an hour back', () => {
    const ids = (notBefore_ms: number, firstWords_ms: number | null) =>
      startMoments({ now_ms, notBefore_ms, firstWords_ms }).map(({ id }) => id)
    expect(ids(now_ms - 2 * MINUTE_MS, now_ms - 3 * MINUTE_MS)).toEqual(['now', 'ago1'])
    expect(ids(0, now_ms - 31 * MINUTE_MS)).toEqual(['now', 'ago1', 'ago3'])
    expect(ids(0, now_ms - 5000)).not.toContain('words')
  })

  it('cannot begin before the one before it ended, but may share its mark', () => {
    const before = session('a', 0, 45, { state: 'ended', started_at_ms: NINE_MS, ended_at_ms: NINE_MS + 600_000 })
    const next = session('b', 45, 90)
    expect(notBefore(next, [before, next])).toBe(NINE_MS + 600_000)
    const shared = running('b', 45, 90, 10)
    expect(notBefore(shared, [before, shared])).toBe(NINE_MS)
    expect(notBefore(next, [running('c', 0, 45, 5), next])).toBe(NINE_MS + 5 * MINUTE_MS)
  })

  it('ends where the picture stopped, if it did', () => {
    const facts = { now_ms, started_ms: NINE_MS, mediaStopped_ms: now_ms - 90_000 }
    expect(endMoments({ ...facts, mediaUp: true }).map(({ id }) => id)).toEqual(['now', 'ago1', 'ago3'])
    expect(endMoments({ ...facts, mediaUp: false }).at(-1)).toEqual({ id: 'stopped', at_ms: now_ms - 90_000 })
    expect(endMoments({ ...facts, mediaUp: false, started_ms: now_ms - 30_000 }).map(({ id }) => id)).toEqual(['now'])
  })
})

describe('what may be tapped', () => {
  const now_ms = NINE_MS + 10 * MINUTE_MS

  it('follows the session’s life and the grant', () => {
    const ahead = session('a', 20, 40)
    expect(tapsOf(ahead, [ahead], RUN, now_ms)).toEqual(['start', 'delay', 'cancel'])
    expect(tapsOf(ahead, [ahead], ['session.run'], now_ms)).toEqual(['start'])
    expect(tapsOf(session('p', 20, 40, { kind: 'break' }), [], RUN, now_ms)).toEqual(['delay', 'cancel'])
    expect(tapsOf(running('a', 0, 45, 0), [], RUN, now_ms)).toEqual(['end', 'extend', 'mark', 'delay'])
    expect(tapsOf(session('a', 0, 45, { state: 'cancelled' }), [], RUN, now_ms)).toEqual(['reopen'])
  })

  it('reopens for fifteen minutes, unless something else has been on since', () => {
    const ended = session('a', 0, 5, { state: 'ended', started_at_ms: NINE_MS, ended_at_ms: NINE_MS + 5 * MINUTE_MS })
    expect(tapsOf(ended, [ended], RUN, now_ms)).toEqual(['reopen'])
    expect(tapsOf(ended, [ended], RUN, now_ms + 15 * MINUTE_MS)).toEqual([])
    expect(tapsOf(ended, [ended, running('b', 5, 45, 6)], RUN, now_ms)).toEqual([])
  })

  it('asks about a session that is not the next one, or far too early', () => {
    const next = session('a', 15, 40)
    expect(doubtAbout(next, next, now_ms)).toBe('')
    expect(doubtAbout(session('b', 40, 60), next, now_ms)).toBe('not_next')
    const early = session('c', 60, 90)
    expect(doubtAbout(early, early, now_ms)).toBe('early')
  })

  it('puts a question from when the session is armed until it is answered', () => {
    const ask = { do_not_record: 'ask', do_not_stream: 'ask' }
    expect(isAsking(session('a', 15, 40, ask))).toBe(false)
    expect(isAsking(session('a', 15, 40, { ...ask, state: 'armed' }))).toBe(true)
    expect(isAsking(session('a', 15, 40, { ...ask, state: 'armed', record_answer: true }))).toBe(true)
    expect(isAsking(session('a', 0, 40, { ...ask, state: 'armed', record_answer: true, stream_answer: false }))).toBe(
      false,
    )
  })

  it('tells the flags, the strictest first, as they are after the answers', () => {
    expect(flagsOf(session('a', 0, 1, { visibility: 'private', do_not_record: 'yes', replay: 'never' }))).toEqual([
      'private',
      'not_recorded',
    ])
    expect(flagsOf(session('a', 0, 1, { do_not_stream: 'ask', do_not_record: 'ask' }))).toEqual([
      'ask_stream',
      'ask_record',
    ])
    expect(flagsOf(session('a', 0, 1, { do_not_stream: 'ask', stream_answer: false, replay: 'never' }))).toEqual([
      'not_streamed',
      'no_replay',
    ])
    expect(flagsOf(session('a', 0, 1, { do_not_stream: 'ask', stream_answer: true }))).toEqual([])
  })
})

describe('a tap on its way', () => {
  it('names its session over either way, and a media time only where one is meant', () => {
    const now: Tap = { kind: 'start', session: 'a/b', at_ms: null }
    expect(commandOf(now)).toEqual({ name: 'session.start', data: { id: 'a/b' } })
    expect(requestOf(now, 'turing')).toEqual({ path: '/api/v1/sessions/a%2Fb/start', body: {} })
    expect(commandOf({ ...now, at_ms: 5 })?.data).toEqual({ id: 'a/b', at: 5 })
    // The command for the end names none: by REST it cannot hit the session that took over meanwhile.
    expect(commandOf({ kind: 'end', session: 'a', at_ms: 5 })).toBeNull()
    expect(requestOf({ kind: 'end', session: 'a', at_ms: 5 }, 'turing')).toEqual({
      path: '/api/v1/sessions/a/end',
      body: { at: 5 },
    })
  })

  it('holds a room, a venue or an event', () => {
    expect(requestOf({ kind: 'hold', scope: 'venue', id: 'nantes', message: 'Fire' }, 'turing')).toEqual({
      path: '/api/v1/venues/nantes/hold',
      body: { message: 'Fire' },
    })
    expect(requestOf({ kind: 'take', source: null }, 'turing')).toEqual({
      path: '/api/v1/rooms/turing/air',
      body: { source: null },
    })
  })

  it('is one key while it is under way, whatever its moment', () => {
    expect(keyOf({ kind: 'start', session: 'a', at_ms: null })).toBe(keyOf({ kind: 'start', session: 'a', at_ms: 3 }))
    expect(keyOf({ kind: 'start', session: 'a', at_ms: null })).not.toBe(
      keyOf({ kind: 'end', session: 'a', at_ms: null }),
    )
  })

  it('reads what was done out of all three answers', () => {
    expect(readOutcome({ ...body('a', 0, 1), action: 'x1' })).toMatchObject({
      actions: ['x1'],
      sessions: [{ id: 'a' }],
    })
    expect(readOutcome({ action: 'x1', session: body('a', 0, 1) })).toMatchObject({ actions: ['x1'] })
    expect(readOutcome({ action: 'x1', actions: ['x1', 'x2'], rooms: [], sessions: [body('a', 0, 1)] })).toMatchObject({
      actions: ['x1', 'x2'],
      sessions: [{ id: 'a' }],
    })
    expect(readOutcome({ action: null, actions: [], sessions: [] })).toEqual({ actions: [], sessions: [] })
  })
})

describe('alarms', () => {
  const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({
    id,
    code: id,
    level: 'alarm',
    since_ms: 0,
    owner: 'technician',
    session: null,
    details: {},
    acknowledged: null,
    ...more,
  })

  it('come with what nobody took first, then the gravest, then the oldest', () => {
    const list = [
      alarm('taken', { acknowledged: 'Ada' }),
      alarm('warning', { level: 'warning' }),
      alarm('young', { since_ms: 5 }),
      alarm('old'),
    ]
    expect(inOrder(list).map(({ id }) => id)).toEqual(['old', 'young', 'warning', 'taken'])
    expect(open(list)).toHaveLength(3)
  })

  it('ring once each, not when the page opens, not for what is taken', () => {
    const ringing = new Ringing()
    expect(ringing.take([alarm('a')])).toEqual([])
    expect(ringing.take([alarm('a'), alarm('b'), alarm('c', { acknowledged: 'Ada' })])).toEqual(['b'])
    expect(ringing.take([alarm('a'), alarm('b')])).toEqual([])
    expect(ringing.take([alarm('a')])).toEqual([])
    expect(ringing.take([alarm('a'), alarm('b')])).toEqual(['b'])
  })

  it('show in the tab’s title and icon', () => {
    expect(withCount('Turing', 0)).toBe('Turing')
    expect(withCount('Turing', 2)).toBe('(2) Turing')
    expect(decodeURIComponent(iconFor(12, true))).toContain('>9+<')
  })
})

describe('words', () => {
  it('are there for every code that the rules refuse with', () => {
    const codes =
      'after_next another_began before_previous before_start cancelled ended into_closed not_aired not_before not_running occupied over reserved running superseded too_far_back too_late'
    for (const code of codes.split(' ')) expect(en).toHaveProperty([`error.${code}`])
    expect(errorWords('too_late', 'x')).toBe(en['error.too_late'])
    expect(errorWords('brand_new', 'Something.')).toBe('The server says: Something.')
  })

  it('are there for every alarm, with its details', () => {
    const codes =
      'nothing_coming_in on_air_without_media unplanned_media hold unanswered not_started reserved_for_next closed_ahead takeover_ahead wrong_room_key publication_duel grant_expired disk_low disk_full disk_error disk_behind room_out_of_memory task_failing clock_moved not_erased encoder_overload viewers_no_sound viewers_no_picture viewers_stutter viewers_sync viewers_other'
    for (const code of codes.split(' ')) expect(en).toHaveProperty([`alarm.${code}`])
    expect(alarmWords('disk_low', { minutes_left: 42 })).toBe('Disk for 42 more minutes')
    expect(alarmWords('viewers_no_sound', { people: 4 })).toBe('4 viewers report: no sound')
    expect(alarmWords('closed_ahead', {})).not.toContain('{')
    expect(alarmWords('brand_new', {})).toBe('Alarm: brand_new')
  })

  it('tell the time at the venue, wherever the crew is', () => {
    expect(clockTimeIn(NINE_MS + 432_000, 'en', 'Europe/Paris')).toBe('09:07:12')
    expect(shortTimeIn(NINE_MS, 'fr', 'Indian/Reunion')).toBe('12:00')
  })
})

describe('keys of the day', () => {
  const press = (key: string) => ({
    key,
    code: '',
    repeat: false,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    target: null,
  })

  it('are told apart from the studio’s others', () => {
    expect(['n', 'E', 'x', 'h', 'l', 'u', 'k', 'o', 'q'].map((key) => shortcut(press(key)))).toEqual([
      'start',
      'end',
      'extend',
      'hold',
      'slate',
      'undo',
      'alarm',
      'air',
      null,
    ])
  })
})

describe('the day of a room', () => {
  type Handler = (value: unknown) => void

  class FakeSocket implements WireSocket {
    connected = false
    sent: [string, unknown][] = []
    answer: (command: string) => Promise<unknown> = () => Promise.reject(new Error('no answer'))
    private readonly handlers = new Map<string, Handler>()
    on(event: string, listener: (...values: never[]) => void) {
      this.handlers.set(event, listener as unknown as Handler)
    }
    connect() {
      this.connected = true
      this.emit('connect', undefined)
    }
    disconnect() {
      this.connected = false
    }
    timeout() {
      return {
        emitWithAck: (command: string, data: unknown) => {
          this.sent.push([command, data])
          return this.answer(command)
        },
      }
    }
    emit(event: string, value: unknown) {
      this.handlers.get(event)?.(value)
    }
  }

  interface Asked {
    path: string
    body: unknown
    authorization: string | undefined
  }

  function made(answers: Record<string, () => unknown>, socket: FakeSocket | null = null) {
    const asked: Asked[] = []
    const fetcher = (path: string, init: RequestInit) => {
      const headers = init.headers as Record<string, string>
      asked.push({
        path,
        body: init.body ? JSON.parse(String(init.body)) : null,
        authorization: headers['Authorization'],
      })
      const found = Object.entries(answers).find(([part]) => path.includes(part))
      const answer = found?.[1]() ?? { error: { code: 'not_found', message: '' } }
      const failed = typeof answer === 'object' && answer !== null && 'error' in answer
      return Promise.resolve(new Response(JSON.stringify(answer), { status: failed ? 409 : 200 }))
    }
    const live: LivePorts = {
      open: () => (socket ? Promise.resolve(socket) : Promise.reject(new Error('none'))),
      random: () => 0.5,
    }
    const refresh = vi.fn()
    const day = new Day('turing', 'g.token', { refresh, live, api: new Api('g.token', fetcher) })
    return { day, asked, refresh }
  }

  const me = () => ({ actions: RUN })

  it('reads its sessions and what its token may do', async () => {
    const { day, asked } = made({ '/me': me, '/sessions?': () => ({ items: [body('a', 0, 45)], cursor: null }) })
    day.start()
    await vi.waitFor(() => expect(day.known && day.may('session.run')).toBe(true))
    expect(day.sessions.map(({ id }) => id)).toEqual(['a'])
    expect(asked.every(({ authorization }) => authorization === 'Bearer g.token')).toBe(true)
    day.stop()
  })

  it('shows a tap as pending until it is answered, then offers to undo it', async () => {
    const { day, asked } = made({
      '/undo': () => ({ action: null, actions: [], rooms: ['turing'], sessions: [body('a', 0, 45)] }),
      '/start': () => ({ ...body('a', 0, 45, { state: 'on_air', started_at_ms: NINE_MS }), action: 'x1' }),
    })
    const tap: Tap = { kind: 'start', session: 'a', at_ms: NINE_MS }
    const under_way = day.tap(tap, 'A')
    expect(day.isPending(tap)).toBe(true)
    expect(day.sessions).toEqual([])
    expect(await day.tap(tap, 'A')).toBe(false) // the same key again meanwhile
    expect(await under_way).toBe(true)
    expect(day.isPending(tap)).toBe(false)
    expect(day.sessions[0]?.state).toBe('on_air')
    expect(asked.filter(({ path }) => path.endsWith('/start'))).toEqual([
      { path: '/api/v1/sessions/a/start', body: { at: NINE_MS }, authorization: 'Bearer g.token' },
    ])
    const done = day.latest
    expect(done).toMatchObject({ subject: 'A', actions: ['x1'], undone: false })
    if (!done) throw new Error('nothing to undo')
    expect(await day.undo(done)).toBe(true)
    expect(day.sessions[0]?.state).toBe('scheduled')
    expect(day.latest?.undone).toBe(true)
    day.stop()
  })

  it('tells why a tap was refused and changes nothing', async () => {
    const { day } = made({ '/end': () => ({ error: { code: 'not_running', message: 'This session is not on air.' } }) })
    expect(await day.tap({ kind: 'end', session: 'a', at_ms: null }, 'A')).toBe(false)
    expect(day.trouble).toMatchObject({ code: 'not_running', subject: 'A' })
    expect(day.latest).toBeNull()
    day.stop()
  })

  it('offers no undo where nothing changed', async () => {
    const { day } = made({ '/air': () => ({ action: null, actions: [], rooms: [], sessions: [] }) })
    expect(await day.tap({ kind: 'slate', on: true })).toBe(true)
    expect(day.latest).toBeNull()
    day.stop()
  })

  it('taps over the socket, follows it, and goes by REST where no answer comes', async () => {
    const socket = new FakeSocket()
    const { day, asked, refresh } = made(
      { '/me': me, '/start': () => ({ ...body('a', 0, 45, { state: 'on_air' }), action: 'x2' }) },
      socket,
    )
    day.start()
    await vi.waitFor(() => expect(day.live).toBe('connected'))
    socket.emit('snapshot', { seq: 4, rooms: { turing: { sessions: [body('a', 0, 45), body('b', 45, 90)] } } })
    expect(day.sessions.map(({ id }) => id)).toEqual(['a', 'b'])
    socket.emit('events', [
      { seq: 5, type: 'session.changed', at: at(0), data: body('b', 50, 95) },
      { seq: 6, type: 'session.changed', at: at(0), data: { id: 'a', room: 'turing', removed: true } },
      { seq: 7, type: 'session.changed', at: at(0), data: body('c', 95, 99) },
    ])
    expect(day.sessions.map(({ id, start_ms }) => [id, (start_ms - NINE_MS) / MINUTE_MS])).toEqual([
      ['b', 50],
      ['c', 95],
    ])
    await vi.waitFor(() => expect(refresh).toHaveBeenCalled())

    socket.answer = () => Promise.resolve({ ok: true, action: 'x1', air: {} })
    await day.tap({ kind: 'slate', on: true })
    expect(socket.sent).toEqual([['air.slate', { on: true }]])
    expect(day.latest?.actions).toEqual(['x1'])

    socket.answer = () => Promise.reject(new Error('time'))
    await day.tap({ kind: 'start', session: 'a', at_ms: null }, 'A')
    expect(socket.sent.at(-1)).toEqual(['session.start', { id: 'a' }])
    expect(asked.at(-1)?.path).toBe('/api/v1/sessions/a/start')
    expect(day.latest?.actions).toEqual(['x2'])

    socket.answer = () => Promise.resolve({ ok: false, error: { code: 'forbidden', message: '' } })
    const before = asked.length
    expect(await day.tap({ kind: 'start', session: 'b', at_ms: null }, 'B')).toBe(false)
    expect(day.trouble?.code).toBe('forbidden')
    expect(asked.length).toBe(before)
    day.stop()
  })

  it('takes alarms by REST where the socket is away', async () => {
    const { day, asked } = made({ '/acknowledge': () => ({ id: 'hold:turing:', acknowledged: 'Anna' }) })
    expect(await day.tap({ kind: 'acknowledge', alarm: 'hold:turing:' })).toBe(true)
    expect(asked[0]?.path).toBe('/api/v1/alarms/hold%3Aturing%3A/acknowledge')
    expect(day.latest).toBeNull()
    day.stop()
  })

  it('tells what others did, and takes it back', async () => {
    let undone: string | null = null
    const { day, asked } = made({
      '/undo': () => {
        undone = at(12)
        return { action: null, actions: [], sessions: [] }
      },
      '/api/v1/actions?': () => ({
        items: [
          { id: 'x2', kind: 'air.slate', title: null, at: at(11), by: 'Bob', undone, undoable: undone === null },
          { id: 'x1', kind: 'session.start', title: 'Keynote', at: at(10), by: 'Anna', undone: null, undoable: false },
          { kind: 'nothing' },
        ],
      }),
    })
    expect(day.recent).toBeNull()
    day.watchRecent(true)
    await vi.waitFor(() => expect(day.recent).not.toBeNull())
    const [slate, start] = day.recent!
    expect(day.recent).toHaveLength(2)
    expect(start).toMatchObject({ kind: 'start', subject: 'Keynote', by: 'Anna', undoable: false })
    expect(actionWords(start!.kind, start!.subject)).toBe('Started: Keynote')
    expect(actionWords('brand_new', '')).toBe('brand_new')
    expect(await day.undoRecent(slate!)).toBe(true)
    expect(asked.some(({ path }) => path === '/api/v1/actions/x2/undo')).toBe(true)
    expect(day.recent![0]).toMatchObject({ undone: true, undoable: false })
    day.stop()
  })
})
