import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type LiveEvent, LiveSocket, type LiveState, type WireSocket } from './socket'

/** The other end, at hand. */
class FakeSocket implements WireSocket {
  connected = false
  attempts: Record<string, unknown>[] = []
  disconnected = 0
  sent: { event: string; data: unknown; timeout_ms: number; options?: unknown }[] = []
  answer: () => Promise<unknown> = async () => ({ ok: true })
  private readonly listeners = new Map<string, ((...values: never[]) => void)[]>()

  constructor(private readonly auth: () => Record<string, unknown>) {}

  on(event: string, listener: (...values: never[]) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener])
  }
  connect(): void {
    this.attempts.push(this.auth())
  }
  disconnect(): void {
    this.disconnected++
    this.connected = false
  }
  timeout(timeout_ms: number) {
    return {
      emitWithAck: async (event: string, data: unknown, options?: unknown) => {
        this.sent.push({ event, data, timeout_ms, ...(options !== undefined && { options }) })
        return this.answer()
      },
    }
  }
  happens(event: string, ...values: unknown[]): void {
    if (event === 'connect') this.connected = true
    if (event === 'disconnect' || event === 'connect_error') this.connected = false
    for (const listener of this.listeners.get(event) ?? []) listener(...(values as never[]))
  }
}

const event = (seq: number, type = 'session.changed') => ({ seq, type, at: '2026-11-24T08:00:00Z', data: { n: seq } })
const refused = (code: string) => Object.assign(new Error(code), { data: { error: { code, message: '' } } })

describe('a live socket', () => {
  let sockets: FakeSocket[]
  let opened: string[]
  let states: LiveState[]
  let snapshots: [Record<string, unknown>, boolean][]
  let events: LiveEvent[]
  let live: LiveSocket
  let unloadable: boolean

  const wire = () => sockets[0]!
  const settled = () => vi.advanceTimersByTimeAsync(0)

  beforeEach(() => {
    vi.useFakeTimers()
    sockets = []
    opened = []
    states = []
    snapshots = []
    events = []
    unloadable = false
    live = new LiveSocket(
      'audience',
      { room: 'turing', name: 'Ada' },
      {
        onsnapshot: (data, reset) => snapshots.push([data, reset]),
        onevents: (batch) => events.push(...batch),
        onstate: (state) => states.push(state),
      },
      {
        open: async (namespace, auth) => {
          opened.push(namespace)
          if (unloadable) throw new Error('chunk')
          const socket = new FakeSocket(auth)
          sockets.push(socket)
          return socket
        },
        random: () => 0,
      },
    )
  })
  afterEach(() => {
    live.close()
    vi.useRealTimers()
  })

  async function connected(): Promise<void> {
    live.start()
    await settled()
    wire().happens('connect')
    wire().happens('snapshot', { seq: 10, room: {} })
  }

  it('connects to its namespace with what it was given, and tells what there is', async () => {
    await connected()
    expect(opened).toEqual(['audience'])
    expect(wire().attempts).toEqual([{ room: 'turing', name: 'Ada' }])
    expect(states).toEqual(['connecting', 'connected'])
    expect(snapshots).toEqual([[{ seq: 10, room: {} }, false]])
    expect(live.seq).toBe(10)
  })

  it('hands on events in order and none twice', async () => {
    await connected()
    wire().happens('events', [event(12), event(15)])
    wire().happens('events', [event(15), event(10), event(16), 'nonsense', { type: 'x' }])
    expect(events.map(({ seq }) => seq)).toEqual([12, 15, 16])
    expect(events[0]).toEqual({
      seq: 12,
      type: 'session.changed',
      at_ms: Date.UTC(2026, 10, 24, 8),
      mediaAt_ms: null,
      data: { n: 12 },
    })
  })

  it('hands on what an older server leaves out and a newer one adds', async () => {
    await connected()
    const older = { seq: 11, type: 'notice', data: { id: 'n' } }
    const newer = { ...event(12, 'of_a_newer_server'), priority: 3 }
    wire().happens('events', [older, newer, { seq: 13, type: 'notice', data: null }, event(14)])
    expect(events.map(({ type }) => type)).toEqual(['notice', 'of_a_newer_server', 'session.changed'])
    expect(events[0]).toMatchObject({ data: { id: 'n' }, mediaAt_ms: null })
    expect(live.seq).toBe(14)
  })

  it('comes back after the last event that it had, ever more slowly', async () => {
    await connected()
    wire().happens('events', [event(12)])
    wire().happens('disconnect', 'transport close')
    expect(live.state).toBe('waiting')
    await vi.advanceTimersByTimeAsync(999)
    expect(wire().attempts).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(wire().attempts[1]).toEqual({ room: 'turing', name: 'Ada', since: 12 })
    wire().happens('connect_error', new Error('xhr poll error'))
    await vi.advanceTimersByTimeAsync(1_999)
    expect(wire().attempts).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(wire().attempts).toHaveLength(3)
    expect(sockets).toHaveLength(1)
  })

  it('goes on from a snapshot that says that it was away for too long', async () => {
    await connected()
    wire().happens('disconnect', 'ping timeout')
    await vi.advanceTimersByTimeAsync(1_000)
    wire().happens('connect')
    wire().happens('snapshot', { seq: 900, reset: true })
    wire().happens('events', [event(899), event(901)])
    expect(snapshots[1]).toEqual([{ seq: 900, reset: true }, true])
    expect(events.map(({ seq }) => seq)).toEqual([901])
  })

  it('takes another snapshot over the connection that it has: the process that judges has started again', async () => {
    await connected()
    wire().happens('events', [event(12)])
    wire().happens('snapshot', { seq: 12, resumed: true })
    wire().happens('events', [event(12), event(13)])
    wire().happens('snapshot', { seq: 900, reset: true })
    wire().happens('events', [event(899), event(901)])
    expect(snapshots.slice(1).map(([, reset]) => reset)).toEqual([false, true])
    expect(events.map(({ seq }) => seq)).toEqual([12, 13, 901])
    expect(live.state).toBe('connected')
    expect(wire().attempts).toHaveLength(1)
  })

  it('asks again when the server ended the connection, and stops where that says no', async () => {
    await connected()
    wire().happens('disconnect', 'io server disconnect')
    await vi.advanceTimersByTimeAsync(1_000)
    wire().happens('connect_error', refused('invalid_token'))
    expect(live.state).toBe('refused')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(wire().attempts).toHaveLength(2)
  })

  it('does not come back once it was told why it has to go', async () => {
    await connected()
    wire().happens('closed', { error: { code: 'revoked', message: 'Revoked.' } })
    wire().happens('disconnect', 'io server disconnect')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(live.state).toBe('refused')
    expect(wire().attempts).toHaveLength(1)
  })

  it('comes anew where the session has another audience now', async () => {
    await connected()
    wire().happens('events', [event(12)])
    wire().happens('closed', { error: { code: 'moved', message: 'Moved.' } })
    wire().happens('disconnect', 'io server disconnect')
    expect(live.state).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(wire().attempts[1]).toEqual({ room: 'turing', name: 'Ada' })
  })

  it('loses nothing of what was missed where the server resumes', async () => {
    await connected()
    wire().happens('disconnect', 'transport close')
    await vi.advanceTimersByTimeAsync(1_000)
    wire().happens('connect')
    wire().happens('snapshot', { seq: 30, resumed: true })
    wire().happens('events', [event(11), event(30)])
    expect(events.map(({ seq }) => seq)).toEqual([11, 30])
  })

  it('tries on where the refusal may pass', async () => {
    live.start()
    await settled()
    wire().happens('connect_error', refused('too_many'))
    expect(live.state).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(wire().attempts).toHaveLength(2)
  })

  it('tries at once when it is told that the network is back', async () => {
    live.start()
    await settled()
    wire().happens('connect_error', new Error('websocket error'))
    live.poke()
    await settled()
    expect(wire().attempts).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(wire().attempts).toHaveLength(2)
  })

  it('survives that the client’s code does not load', async () => {
    unloadable = true
    live.start()
    await settled()
    expect(live.state).toBe('waiting')
    unloadable = false
    await vi.advanceTimersByTimeAsync(1_000)
    expect(wire().attempts).toHaveLength(1)
  })

  it('opens nothing when it is closed while the code is on its way', async () => {
    live.start()
    live.close()
    await settled()
    expect(sockets.flatMap(({ attempts }) => attempts)).toEqual([])
    expect(live.state).toBe('closed')
  })

  describe('a command', () => {
    it('is acknowledged with what the server says', async () => {
      await connected()
      wire().answer = async () => ({ ok: true, action: 'a1' })
      await expect(live.send('session.end', { at: 5 }, { timeout_ms: 500 })).resolves.toEqual({
        ok: true,
        data: { ok: true, action: 'a1' },
      })
      expect(wire().sent).toEqual([{ event: 'session.end', data: { at: 5 }, timeout_ms: 500 }])
    })

    it('is refused with the server’s code, and with when to try again', async () => {
      await connected()
      wire().answer = async () => ({ ok: false, error: { code: 'slow_down', message: 'Slowly.', retry_after: 2 } })
      await expect(live.send('chat.send')).resolves.toEqual({
        ok: false,
        error: { code: 'slow_down', message: 'Slowly.', details: null, retryAfter_ms: 2_000 },
      })
    })

    it('fails with a code where nobody answers or is connected', async () => {
      await expect(live.send('chat.send')).resolves.toMatchObject({ ok: false, error: { code: 'not_connected' } })
      await connected()
      wire().answer = () => Promise.reject(new Error('operation has timed out'))
      await expect(live.send('chat.send')).resolves.toMatchObject({ ok: false, error: { code: 'no_answer' } })
      wire().answer = async () => 'what'
      await expect(live.send('chat.send')).resolves.toMatchObject({ ok: false, error: { code: 'no_answer' } })
      expect(wire().sent).toHaveLength(2) // This server knows no ids: nothing is sent again.
    })

    describe('whose answer was lost', () => {
      const lost = () => Promise.reject(new Error('socket has been disconnected'))

      async function sent(answer: () => Promise<unknown> = lost) {
        await connected()
        wire().happens('snapshot', { seq: 10, repeat_s: 3600 })
        wire().answer = answer
        const answered = live.send('chat.send', { text: 'Hello' })
        await settled()
        return answered
      }

      it('is sent again with its id over the next connection', async () => {
        const answered = sent()
        await settled()
        wire().happens('disconnect', 'transport close')
        wire().answer = async () => ({ ok: true, id: 'm1' })
        await vi.advanceTimersByTimeAsync(1_000)
        wire().happens('connect')
        await settled()
        expect(wire().sent).toHaveLength(1) // A snapshot says first what this server knows.
        wire().happens('snapshot', { seq: 10, resumed: true, repeat_s: 3600 })
        await expect(answered).resolves.toEqual({ ok: true, data: { ok: true, id: 'm1' } })
        const [first, again] = wire().sent
        expect(again).toEqual(first)
        expect(first!.options).toEqual({ id: expect.stringMatching(/^[0-9a-f]{24}$/) as string })
        await live.send('chat.send', { text: 'Hello' })
        expect(wire().sent[2]!.options).not.toEqual(first!.options)
      })

      it('is sent again over a connection that holds, and given up after a while', async () => {
        const answered = sent(async () => ({ ok: false, error: { code: 'timeout', message: '' } }))
        await vi.advanceTimersByTimeAsync(20_000)
        await expect(answered).resolves.toMatchObject({ ok: false, error: { code: 'timeout' } })
        const { length } = wire().sent
        expect(length).toBeGreaterThan(2)
        await vi.advanceTimersByTimeAsync(20_000)
        expect(wire().sent).toHaveLength(length)
      })

      it('is given up when the page leaves', async () => {
        const answered = sent()
        await settled()
        wire().happens('disconnect', 'transport close')
        live.close()
        await expect(answered).resolves.toMatchObject({ ok: false, error: { code: 'no_answer' } })
      })
    })
  })
})
