import { describe, expect, it, vi } from 'vitest'
import type { LivePorts, WireSocket } from '$lib/live/socket'
import { actionWords } from '$features/actions/locales/actions'
import { Api } from '$lib/api/api'
import { Day } from './day.svelte'
import { at, body, MINUTE_MS, NINE_MS, RUN } from './samples'
import { type Tap } from './taps'

describe('the day of a room', () => {
  type Handler = (value: unknown) => void

  class FakeSocket implements WireSocket {
    connected = false
    sent: [string, unknown][] = []
    ids: (string | undefined)[] = []
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
        emitWithAck: (command: string, data: unknown, options?: { id: string }) => {
          this.sent.push([command, data])
          this.ids.push(options?.id)
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
    key: string | undefined
  }

  function made(answers: Record<string, () => unknown>, socket: FakeSocket | null = null) {
    const asked: Asked[] = []
    const fetcher = (path: string, init: RequestInit) => {
      const headers = init.headers as Record<string, string>
      asked.push({
        path,
        body: init.body ? JSON.parse(String(init.body)) : null,
        authorization: headers['Authorization'],
        key: headers['Idempotency-Key'],
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
      expect.objectContaining({
        path: '/api/v1/sessions/a/start',
        body: { at: NINE_MS },
        authorization: 'Bearer g.token',
      }),
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
    socket.emit('snapshot', {
      seq: 4,
      repeat_s: 3600,
      rooms: { turing: { sessions: [body('a', 0, 45), body('b', 45, 90)] } },
    })
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
    expect(socket.ids.at(-1)).toBeTruthy()
    expect(asked.at(-1)?.key).toBe(`"${socket.ids.at(-1)}"`)
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
