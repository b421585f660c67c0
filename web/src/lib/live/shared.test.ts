import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { join, type Link, MOST_KEPT } from './shared'
import type { LiveEvent, LivePorts, WireSocket } from './socket'

class Wire implements WireSocket {
  connected = false
  closed = false
  private readonly listeners = new Map<string, (...values: never[]) => void>()
  constructor(readonly auth: () => Record<string, unknown>) {}
  on(event: string, listener: (...values: never[]) => void) {
    this.listeners.set(event, listener)
  }
  connect() {
    this.connected = true
  }
  disconnect() {
    this.connected = false
    this.closed = true
  }
  timeout() {
    return { emitWithAck: async () => ({ ok: true, id: 'x' }) }
  }
  happens(event: string, ...values: unknown[]) {
    this.listeners.get(event)?.(...(values as never[]))
  }
}

let wires: Wire[]
let links: Link[]
const ports: LivePorts = {
  open: async (_namespace, auth) => {
    const wire = new Wire(auth)
    wires.push(wire)
    return wire
  },
  random: () => 0.5,
}
const event = (seq: number) => ({ seq, type: 'presence', at: '2026-11-24T08:00:00Z', data: {} })

function listener() {
  const heard = { snapshots: [] as unknown[], events: [] as LiveEvent[], states: [] as string[] }
  const link = join(
    { room: 'turing' },
    {
      onsnapshot: (data) => heard.snapshots.push(data),
      onevents: (batch) => heard.events.push(...batch),
      onstate: (state) => heard.states.push(state),
    },
    ports,
  )
  links.push(link)
  return { ...heard, link }
}

async function connected(wire = wires.at(-1)!) {
  await vi.advanceTimersByTimeAsync(0)
  wire = wires.at(-1)!
  wire.happens('connect')
  wire.happens('snapshot', { seq: 1, you: { id: 'p', key: 'token' } })
  return wire
}

beforeEach(() => {
  vi.useFakeTimers()
  wires = []
  links = []
})
afterEach(() => {
  for (const link of links) link.leave()
  vi.useRealTimers()
})

it('has one connection for all who listen, closed with the last', async () => {
  const [first, second] = [listener(), listener()]
  const wire = await connected()
  wire.happens('events', [event(2)])
  expect(wires).toHaveLength(1)
  expect([first.events.length, second.events.length]).toEqual([1, 1])
  first.link.leave()
  expect(wire.closed).toBe(false)
  second.link.leave()
  expect(wire.closed).toBe(true)
  listener()
  await vi.advanceTimersByTimeAsync(0)
  expect(wires).toHaveLength(2)
})

it('tells who comes later what was told before, in the same words', async () => {
  listener()
  const wire = await connected()
  wire.happens('events', [event(2), event(3)])
  const late = listener()
  expect(late.snapshots).toHaveLength(1)
  expect(late.events.map(({ seq }) => seq)).toEqual([2, 3])
  expect(late.states).toEqual(['connected'])
  wire.happens('events', [event(4)])
  expect(late.events.map(({ seq }) => seq)).toEqual([2, 3, 4])
})

it('asks anew for who comes after more than is kept', async () => {
  const first = listener()
  const wire = await connected()
  wire.happens(
    'events',
    Array.from({ length: MOST_KEPT + 1 }, (_, n) => event(n + 2)),
  )
  const late = listener()
  await vi.advanceTimersByTimeAsync(0)
  expect(wires).toHaveLength(2)
  expect(wire.closed).toBe(true)
  expect(wires[1]?.auth()).not.toHaveProperty('since')
  expect(late.snapshots).toHaveLength(0)
  await connected()
  expect([first.snapshots.length, late.snapshots.length]).toEqual([2, 1])
})

it('comes back as the same participant where there are no cookies', async () => {
  const { link } = listener()
  const wire = await connected()
  expect(link.participant).toBe('token')
  expect(wire.auth()).toMatchObject({ room: 'turing', participant: 'token', since: 1 })
  link.update({ name: 'Ada' })
  expect(wire.auth()).toMatchObject({ name: 'Ada' })
  expect(await link.send('chat.send', {})).toMatchObject({ ok: true, data: { id: 'x' } })
})
