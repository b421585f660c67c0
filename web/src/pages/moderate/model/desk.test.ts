import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { WireSocket } from '$lib/live/socket'
import { Desk } from './desk.svelte'

const START_MS = Date.UTC(2026, 10, 24, 9)
const at = (s: number) => new Date(START_MS + s * 1000).toISOString()

/** The server's end: what was sent to it, and what it answers. */
class Wire implements WireSocket {
  connected = false
  sent: [string, Record<string, unknown>][] = []
  refuse = new Map<string, { code: string; details?: unknown }>()
  private readonly listeners = new Map<string, ((...values: never[]) => void)[]>()
  private count = 0
  private seq = 100

  on(event: string, listener: (...values: never[]) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener])
  }
  connect(): void {
    this.connected = true
    this.happens('connect')
  }
  disconnect(): void {
    this.connected = false
  }
  timeout() {
    return {
      emitWithAck: async (command: string, data: unknown) => {
        this.sent.push([command, data as Record<string, unknown>])
        const error = this.refuse.get(command)
        if (error) return { ok: false, error: { message: '', details: null, ...error } }
        return { ok: true, action: `a${++this.count}`, until: at(30) }
      },
    }
  }
  happens(event: string, ...values: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...(values as never[]))
  }
  tell(type: string, data: unknown): void {
    this.happens('events', [{ seq: ++this.seq, type, at: at(0), data }])
  }
  /** Commands but claims. */
  get asked() {
    return this.sent.filter(([command]) => command !== 'claim')
  }
}

const message = (id: string, s: number, more: Record<string, unknown> = {}) => ({
  id,
  participant: `p-${id}`,
  name: id.toUpperCase(),
  role: null,
  text: `text of ${id}`,
  at: at(s),
  media_at: START_MS,
  session: null,
  reply_to: null,
  state: 'held',
  reason: 'review',
  until: null,
  ...more,
})
const question = (id: string, s: number, more: Record<string, unknown> = {}) => ({
  ...message(id, s),
  state: 'pending',
  anonymous: false,
  place: null,
  edited: false,
  votes: 0,
  merged_into: null,
  withdrawn: false,
  archived: false,
  ...more,
})

describe('a moderator', () => {
  let wire: Wire
  let desk: Desk

  beforeEach(async () => {
    vi.useFakeTimers({ now: START_MS })
    wire = new Wire()
    desk = new Desk('a', { room: 'a' }, undefined, { open: async () => wire, random: () => 0 })
    desk.start()
    await vi.advanceTimersByTimeAsync(0)
    wire.happens('snapshot', {
      seq: 1,
      at: at(0),
      rooms: {},
      moderation: {
        session: null,
        chat: [message('m1', 1), message('m2', 2), message('m3', 3), message('m4', 4, { state: 'visible' })],
        questions: [question('q1', 5)],
        mode: { chat: 'open', questions: 'open', order: 'fair', shield: false },
      },
    })
  })
  afterEach(() => {
    desk.close()
    vi.useRealTimers()
  })
  const settled = () => vi.advanceTimersByTimeAsync(0)

  it('goes through the queue by two keys, and never does the same twice', async () => {
    desk.press('down')
    expect(desk.queuePick.cursor).toBe('m1')
    desk.press('delete')
    // The answer is on its way: the next key is about the next.
    desk.press('delete')
    await settled()
    expect(wire.asked).toEqual([
      ['chat.delete', { ids: ['m1'] }],
      ['chat.delete', { ids: ['m2'] }],
    ])
    expect(desk.queuePick.cursor).toBe('m3')
    wire.tell('chat.deleted', { id: 'm1', state: 'deleted', reason: null })
    wire.tell('chat.deleted', { id: 'm2', state: 'deleted', reason: null })
    expect(desk.queue.map(({ key }) => key)).toEqual(['m3', 'q1'])
    expect(desk.queuePick.cursor).toBe('m3')
  })

  it('does nothing again to the last one while it is under way', async () => {
    desk.go('queue', 'q1')
    desk.press('approve')
    desk.press('approve')
    await settled()
    expect(wire.asked).toEqual([['question.move', { ids: ['q1'], state: 'approved' }]])
  })

  it('is about all that is selected, and about all of one person', async () => {
    wire.tell('chat.message', message('m9', 9, { participant: 'p-m1' }))
    desk.go('queue', 'm1')
    desk.press('pickAll')
    expect(desk.targets.map(({ key }) => key)).toEqual(['m1', 'm9'])
    desk.press('mute2')
    await settled()
    expect(wire.asked).toEqual([['participant.mute', { id: 'p-m1', seconds: 600 }]])
    desk.press('clear')
    expect(desk.targets.map(({ key }) => key)).toEqual(['m1'])
  })

  it('takes all that fits a search at once, however many there are', async () => {
    for (let n = 0; n < 250; n++) wire.tell('chat.message', message(`s${n}`, 10 + n, { text: 'buy now' }))
    desk.search = 'buy'
    desk.press('pickEvery')
    desk.press('delete')
    await settled()
    expect(wire.asked.map(([command, data]) => [command, (data['ids'] as string[]).length])).toEqual([
      ['chat.delete', 200],
      ['chat.delete', 50],
    ])
    desk.press('undo')
    await settled()
    expect(wire.asked.slice(2)).toEqual([
      ['undo', { action: 'a2' }],
      ['undo', { action: 'a1' }],
    ])
  })

  it('undoes by one key for ten seconds, and says so after that', async () => {
    desk.go('queue', 'm1')
    desk.press('delete')
    await settled()
    await vi.advanceTimersByTimeAsync(9_000)
    desk.press('undo')
    await settled()
    expect(wire.asked.at(-1)).toEqual(['undo', { action: 'a1' }])
    await vi.advanceTimersByTimeAsync(11_000)
    desk.press('undo')
    expect(desk.deeds.refusal?.code).toBe('nothing')
    expect(wire.asked).toHaveLength(2)
  })

  it('claims what somebody stays at, again and again, and lets go of it', async () => {
    desk.go('queue', 'm1')
    desk.press('down')
    await vi.advanceTimersByTimeAsync(600)
    expect(wire.sent).toEqual([['claim', { id: 'm2' }]])
    wire.tell('claim', { id: 'm2', by: 'Anna', until: at(30) })
    expect(desk.claimedBy('m2'), 'it is one’s own').toBe(null)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(wire.sent).toHaveLength(2)
    desk.press('down')
    expect(wire.sent.at(-1)).toEqual(['claim', { id: 'm2', on: false }])
  })

  it('asks once more before it does what another works on, until that is over', async () => {
    wire.tell('claim', { id: 'm1', by: 'Karim', until: at(30) })
    desk.go('queue', 'm1')
    expect(desk.claimedBy('m1')).toBe('Karim')
    desk.press('delete')
    expect(desk.deeds.refusal).toMatchObject({ code: 'claimed', by: 'Karim' })
    expect(wire.asked).toEqual([])
    desk.press('delete')
    await settled()
    expect(wire.asked).toEqual([['chat.delete', { ids: ['m1'] }]])
    wire.tell('claim', { id: 'm2', by: 'Karim', until: at(30) })
    await vi.advanceTimersByTimeAsync(31_000)
    expect(desk.claimedBy('m2')).toBe(null)
  })

  it('brings a question from the queue to the stage and on, wherever the cursor is', async () => {
    desk.go('queue', 'q1')
    desk.press('stage')
    await settled()
    wire.tell('question.changed', question('q1', 5, { state: 'on_stage', staged_at: START_MS }))
    desk.press('answered')
    await settled()
    expect(wire.asked).toEqual([
      ['question.move', { ids: ['q1'], state: 'on_stage' }],
      ['question.move', { ids: ['q1'], state: 'answered' }],
    ])
  })

  it('restores what was deleted, and keeps what was only reported', async () => {
    wire.tell('chat.deleted', { id: 'm4', state: 'deleted', reason: 'rude' })
    desk.go('chat', 'm4')
    desk.press('approve')
    await settled()
    wire.tell('chat.message', message('m4', 4, { state: 'visible' }))
    wire.tell('report', { id: 'r1', kind: 'message', item: 'm4', participant: 'x', at: at(6), resolved: false })
    desk.go('queue', 'm4')
    desk.press('approve')
    await settled()
    expect(wire.asked).toEqual([
      ['chat.approve', { ids: ['m4'] }],
      ['report.resolve', { id: 'm4' }],
    ])
    expect(desk.deeds.done.map(({ kind }) => kind)).toEqual(['keep', 'approve'])
  })

  it('says what the server refused and forgets nothing of what waits', async () => {
    wire.refuse.set('chat.approve', { code: 'wrong_state' })
    desk.go('queue', 'm1')
    desk.press('approve')
    await settled()
    expect(desk.deeds.refusal).toMatchObject({ kind: 'approve', code: 'wrong_state' })
    expect(desk.queue.map(({ key }) => key)).toContain('m1')
    wire.connected = false
    desk.press('shield')
    await settled()
    expect(desk.deeds.refusal).toMatchObject({ kind: 'shield.up', code: 'not_connected' })
  })

  it('raises the shield and lowers it by the same key', async () => {
    desk.press('shield')
    await settled()
    wire.tell('room.mode', { chat: 'open', questions: 'open', order: 'fair', shield: true })
    desk.press('shield')
    await settled()
    expect(wire.asked.map(([, data]) => data)).toEqual([{ shield: true }, { shield: false }])
  })

  it('finds in the queue by what was written and by whom', () => {
    desk.search = 'M2'
    expect(desk.queue.map(({ key }) => key)).toEqual(['m2'])
    desk.search = 'nowhere'
    desk.follow()
    expect(desk.queue).toEqual([])
    expect(desk.targets).toEqual([])
    expect(desk.everything).toHaveLength(4)
  })

  it('is told what came while it was away, and none of it twice', () => {
    wire.happens('snapshot', { seq: 200, resumed: true, at: at(9) })
    wire.happens('events', [
      { seq: 150, type: 'chat.message', at: at(9), data: message('m7', 7) },
      { seq: 150, type: 'chat.message', at: at(9), data: message('m7', 7, { text: 'again' }) },
    ])
    expect(desk.queue.map(({ key }) => key)).toEqual(['m1', 'm2', 'm3', 'q1', 'm7'])
    expect(desk.floor.byId.get('m7')?.text).toBe('text of m7')
  })
})
