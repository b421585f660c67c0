import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readStatus, type RoomAnswer, RoomWatcher } from './room'

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })

const ROOM = {
  id: 'turing',
  name: 'Salle Turing',
  venue: 'Nantes',
  state: 'live',
  sources: {},
  session: null,
  next: null,
}

describe('a room’s status', () => {
  it('tells of a session that another room carries for it, too', () => {
    const session = {
      id: 's',
      room: 'a',
      also_in: ['turing'],
      title: 'Opening',
      state: 'on_air',
      start: '2026-11-24T10:00:00+01:00',
      end: '2026-11-24T11:00:00+01:00',
    }
    const elsewhere = { room: 'a', room_name: 'Salle A', session }
    expect(readStatus({ ...ROOM, elsewhere }, null)?.elsewhere).toMatchObject({ room: 'a', roomName: 'Salle A' })
    expect(readStatus({ ...ROOM, elsewhere: { room: 'a' } }, null)?.elsewhere).toBeNull()
    expect(readStatus(ROOM, null)?.elsewhere).toBeNull()
  })

  it('takes titles from session and next where the schedule has them', () => {
    const status = readStatus(
      { ...ROOM, session: { title: 'Opening' }, next: { title: 'Keynote', start: '2026-11-24T10:00:00+01:00' } },
      null,
    )
    expect(status).toMatchObject({
      title: 'Opening',
      venue: 'Nantes',
      next: { title: 'Keynote', start: '2026-11-24T10:00:00+01:00' },
    })
  })

  it('tells of a hold, of a reservation, and when the next is really thought to begin', () => {
    const status = readStatus(
      {
        ...ROOM,
        word: 'hold',
        hold: { message: 'Fire alarm', since: '2026-11-24T09:00:00Z', until: null },
        reserved_until: '2026-11-24T11:00:00Z',
        next: { title: 'Keynote', start: '2026-11-24T10:00:00Z', shown_start: '2026-11-24T10:12:00Z' },
      },
      null,
    )
    expect(status).toMatchObject({
      word: 'hold',
      hold: { message: 'Fire alarm', until_ms: null },
      reservedUntil_ms: Date.UTC(2026, 10, 24, 11),
      next: { title: 'Keynote', start: '2026-11-24T10:12:00Z' },
      session: null,
    })
  })

  it.each([[null], [[]], ['live'], [{}]])('is not read from %j', (body) => {
    expect(readStatus(body, null)).toBeNull()
  })
})

describe('the watcher', () => {
  let answers: RoomAnswer[]
  let replies: (() => Response | Promise<Response>)[]
  let asked: number
  let addresses: string[]
  let watcher: RoomWatcher

  beforeEach(() => {
    vi.useFakeTimers()
    vi.setSystemTime(1_000_000)
    answers = []
    replies = []
    asked = 0
    addresses = []
    watcher = new RoomWatcher('turing', (answer) => answers.push(answer), {
      fetch: async (input) => {
        asked++
        addresses.push(input)
        const reply = replies.length > 1 ? replies.shift() : replies[0]
        if (!reply) throw new Error('refused')
        return reply()
      },
      now: () => Date.now(),
      random: () => 0.5,
    })
  })
  afterEach(() => {
    watcher.stop()
    vi.useRealTimers()
  })

  it('waits for the start with a question that is held, and asks rarely while it plays', async () => {
    let start: () => void = () => undefined
    const held = new Promise<Response>((resolve) => (start = () => resolve(json(ROOM))))
    replies = [() => json({ ...ROOM, state: 'off' }), () => held, () => json(ROOM)]
    watcher.start()
    await vi.advanceTimersByTimeAsync(500)
    expect(addresses).toEqual(['/api/v1/rooms/turing', '/api/v1/rooms/turing?unless=off'])
    await vi.advanceTimersByTimeAsync(15_000)
    expect(asked).toBe(2)
    start()
    await vi.advanceTimersByTimeAsync(0)
    expect(answers.map((answer) => answer.kind === 'status' && answer.status.state)).toEqual(['off', 'live'])
    await vi.advanceTimersByTimeAsync(19_000)
    expect(asked).toBe(2)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(addresses[2]).toBe('/api/v1/rooms/turing')
  })

  it('asks every few seconds where the server holds no question', async () => {
    replies = [() => json({ ...ROOM, state: 'off' })]
    watcher.start()
    await vi.advanceTimersByTimeAsync(300)
    expect(asked).toBe(2)
    await vi.advanceTimersByTimeAsync(3_400)
    expect(asked).toBe(3)
    await vi.advanceTimersByTimeAsync(3_500)
    expect(asked).toBe(4)
  })

  it('gives a held question up when it is poked: its connection may be gone', async () => {
    replies = [() => json({ ...ROOM, state: 'off' }), () => new Promise<Response>(() => undefined), () => json(ROOM)]
    watcher.start()
    await vi.advanceTimersByTimeAsync(500)
    watcher.poke()
    await vi.advanceTimersByTimeAsync(0)
    expect(addresses).toHaveLength(3)
    expect(addresses[2]).toBe('/api/v1/rooms/turing')
    expect(answers.at(-1)).toMatchObject({ kind: 'status', status: { state: 'live' } })
  })

  it('tells how far the server’s clock is from ours', async () => {
    replies = [() => json(ROOM, 200, { Date: new Date(1_060_000).toUTCString() })]
    watcher.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(answers[0]).toMatchObject({ kind: 'status', status: { clockOffset_ms: 60_500 } })
  })

  it('goes on with growing waits while the server is away, and comes back to the usual pace', async () => {
    replies = [() => json({}, 502), () => json({}, 502), () => json({ ...ROOM, state: 'off' })]
    watcher.start()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(answers.slice(0, 3).map((answer) => answer.kind)).toEqual(['unreachable', 'unreachable', 'status'])
  })

  it('counts an answer that never comes as unreachable', async () => {
    const never = vi.fn(
      (_input: string, init: RequestInit) =>
        new Promise<Response>((_resolve, reject) =>
          init.signal?.addEventListener('abort', () => reject(new Error('aborted'))),
        ),
    )
    const patient = new RoomWatcher('turing', (answer) => answers.push(answer), {
      fetch: never,
      now: () => Date.now(),
      random: () => 0,
    })
    patient.start()
    await vi.advanceTimersByTimeAsync(8_000)
    expect(answers).toEqual([{ kind: 'unreachable' }])
    patient.stop()
  })

  it('stops asking for a room that does not exist', async () => {
    replies = [() => json({ error: { code: 'not_found' } }, 404)]
    watcher.start()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(answers).toEqual([{ kind: 'unknown' }])
    expect(asked).toBe(1)
  })

  it('asks at once when it is poked, but never twice at a time', async () => {
    replies = [() => json(ROOM)]
    watcher.start()
    watcher.poke()
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toBe(1)
    watcher.poke()
    watcher.poke()
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toBe(2)
  })
})
