import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { WireSocket } from '$lib/live/socket'
import { AudienceModeration } from './audience-moderation.svelte'
import { ofMessage } from './queue'

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
  let moderation: AudienceModeration

  beforeEach(async () => {
    vi.useFakeTimers({ now: START_MS })
    wire = new Wire()
    moderation = new AudienceModeration('a', { room: 'a' }, undefined, { open: async () => wire, random: () => 0 })
    moderation.start()
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
    moderation.close()
    vi.useRealTimers()
  })
  const settled = () => vi.advanceTimersByTimeAsync(0)

  it('goes through the queue by two keys, and never does the same twice', async () => {
    moderation.press('down')
    expect(moderation.queuePick.cursor).toBe('m1')
    moderation.press('delete')
    // The answer is on its way: the next key is about the next.
    moderation.press('delete')
    await settled()
    expect(wire.asked).toEqual([
      ['chat.delete', { ids: ['m1'] }],
      ['chat.delete', { ids: ['m2'] }],
    ])
    expect(moderation.queuePick.cursor).toBe('m3')
    wire.tell('chat.deleted', { id: 'm1', state: 'deleted', reason: null })
    wire.tell('chat.deleted', { id: 'm2', state: 'deleted', reason: null })
    expect(moderation.queue.map(({ key }) => key)).toEqual(['m3', 'q1'])
    expect(moderation.queuePick.cursor).toBe('m3')
  })

  it('does nothing again to the last one while it is under way', async () => {
    moderation.go('queue', 'q1')
    moderation.press('approve')
    moderation.press('approve')
    await settled()
    expect(wire.asked).toEqual([['question.move', { ids: ['q1'], state: 'approved' }]])
  })

  it('is about all that is selected, and about all of one person', async () => {
    wire.tell('chat.message', message('m9', 9, { participant: 'p-m1' }))
    moderation.go('queue', 'm1')
    moderation.press('pickAll')
    expect(moderation.targets.map(({ key }) => key)).toEqual(['m1', 'm9'])
    moderation.press('mute2')
    await settled()
    expect(wire.asked).toEqual([['participant.mute', { id: 'p-m1', seconds: 600 }]])
    moderation.press('clear')
    expect(moderation.targets.map(({ key }) => key)).toEqual(['m1'])
  })

  it('takes all that fits a search at once, however many there are', async () => {
    for (let n = 0; n < 250; n++) wire.tell('chat.message', message(`s${n}`, 10 + n, { text: 'buy now' }))
    moderation.search = 'buy'
    moderation.press('pickEvery')
    moderation.press('delete')
    await settled()
    expect(wire.asked.map(([command, data]) => [command, (data['ids'] as string[]).length])).toEqual([
      ['chat.delete', 200],
      ['chat.delete', 50],
    ])
    moderation.press('undo')
    await settled()
    expect(wire.asked.slice(2)).toEqual([
      ['undo', { action: 'a2' }],
      ['undo', { action: 'a1' }],
    ])
  })

  it('takes back by one key what was done last, then what was done before it', async () => {
    for (const key of ['m1', 'm2']) {
      moderation.go('queue', key)
      moderation.press('delete')
      await settled()
    }
    // The bar is out of sight by then; the key does what it says.
    await vi.advanceTimersByTimeAsync(60_000)
    for (const action of ['a2', 'a1']) {
      moderation.press('undo')
      await settled()
      expect(wire.asked.at(-1)).toEqual(['undo', { action }])
    }
    moderation.press('undo')
    await settled()
    expect(moderation.commands.refusal?.code).toBe('nothing')
    expect(wire.asked).toHaveLength(4)
  })

  it('claims what somebody stays at, again and again, and lets go of it', async () => {
    moderation.go('queue', 'm1')
    moderation.press('down')
    await vi.advanceTimersByTimeAsync(600)
    expect(wire.sent).toEqual([['claim', { id: 'm2' }]])
    wire.tell('claim', { id: 'm2', by: 'Anna', until: at(30) })
    expect(moderation.claimedBy('m2'), 'it is one’s own').toBe(null)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(wire.sent).toHaveLength(2)
    moderation.press('down')
    expect(wire.sent.at(-1)).toEqual(['claim', { id: 'm2', on: false }])
    expect(moderation.claimedBy('m2'), 'nobody else works on what was just let go of').toBe(null)
    await settled()
    wire.tell('claim', { id: 'm2', by: 'Karim', until: at(60) })
    expect(moderation.claimedBy('m2')).toBe('Karim')
  })

  it('asks once more before it does what another works on, until that is over', async () => {
    wire.tell('claim', { id: 'm1', by: 'Karim', until: at(30) })
    moderation.go('queue', 'm1')
    expect(moderation.claimedBy('m1')).toBe('Karim')
    moderation.press('delete')
    expect(moderation.commands.refusal).toMatchObject({ code: 'claimed', by: 'Karim' })
    expect(wire.asked).toEqual([])
    moderation.press('delete')
    await settled()
    expect(wire.asked).toEqual([['chat.delete', { ids: ['m1'] }]])
    wire.tell('claim', { id: 'm2', by: 'Karim', until: at(30) })
    await vi.advanceTimersByTimeAsync(31_000)
    expect(moderation.claimedBy('m2')).toBe(null)
  })

  it('brings a question from the queue to the stage and on, wherever the cursor is', async () => {
    moderation.go('queue', 'q1')
    moderation.press('stage')
    await settled()
    wire.tell('question.changed', question('q1', 5, { state: 'on_stage', staged_at: START_MS }))
    moderation.press('answered')
    await settled()
    expect(wire.asked).toEqual([
      ['question.move', { ids: ['q1'], state: 'on_stage' }],
      ['question.move', { ids: ['q1'], state: 'answered' }],
    ])
  })

  it('goes through the list that is meant, and stands on nothing that is out of sight', () => {
    for (const [id, state] of Object.entries({ q2: 'approved', q3: 'approved', q4: 'answered', q5: 'dismissed' }))
      wire.tell('question.changed', question(id, 6, { state }))
    moderation.go('queue', 'm2')
    moderation.move(1, 'questions')
    expect([moderation.place, moderation.questionPick.cursor]).toEqual(['questions', 'q2'])
    moderation.move(Infinity, 'questions')
    expect(moderation.questionPick.cursor).toBe('q3')
    moderation.unfolded.answered = moderation.unfolded.dismissed = true
    expect(moderation.board.map(({ id }) => id)).toEqual(['q2', 'q3', 'q4', 'q5'])
    moderation.move(Infinity, 'questions')
    expect(moderation.questionPick.cursor).toBe('q5')
    expect(moderation.queuePick.cursor).toBe('m2')
  })

  it('says of a delayed message in the chat what its row says', () => {
    wire.tell('chat.message', message('m5', 5, { state: 'delayed', reason: null, until: at(20) }))
    expect(moderation.entry('m5')).toEqual(ofMessage(moderation.chatShown.find(({ id }) => id === 'm5')!))
    expect(moderation.entry('m5')?.waits).toBe(true)
  })

  it('restores what was deleted, and keeps what was only reported', async () => {
    wire.tell('chat.deleted', { id: 'm4', state: 'deleted', reason: 'rude' })
    moderation.go('chat', 'm4')
    moderation.press('approve')
    await settled()
    wire.tell('chat.message', message('m4', 4, { state: 'visible' }))
    wire.tell('report', { id: 'r1', kind: 'message', item: 'm4', participant: 'x', at: at(6), resolved: false })
    moderation.go('queue', 'm4')
    moderation.press('approve')
    await settled()
    expect(wire.asked).toEqual([
      ['chat.approve', { ids: ['m4'] }],
      ['report.resolve', { id: 'm4' }],
    ])
    expect(moderation.commands.done.map(({ kind }) => kind)).toEqual(['keep', 'approve'])
  })

  it('says what the server refused and forgets nothing of what waits', async () => {
    wire.refuse.set('chat.approve', { code: 'wrong_state' })
    moderation.go('queue', 'm1')
    moderation.press('approve')
    await settled()
    expect(moderation.commands.refusal).toMatchObject({ kind: 'approve', code: 'wrong_state' })
    expect(moderation.queue.map(({ key }) => key)).toContain('m1')
    wire.connected = false
    moderation.press('shield')
    await settled()
    expect(moderation.commands.refusal).toMatchObject({ kind: 'shield.up', code: 'not_connected' })
  })

  it('raises the shield and lowers it by the same key', async () => {
    moderation.press('shield')
    await settled()
    wire.tell('room.mode', { chat: 'open', questions: 'open', order: 'fair', shield: true })
    moderation.press('shield')
    await settled()
    expect(wire.asked.map(([, data]) => data)).toEqual([{ shield: true }, { shield: false }])
  })

  it('finds in the queue by what was written and by whom', () => {
    moderation.search = 'M2'
    expect(moderation.queue.map(({ key }) => key)).toEqual(['m2'])
    moderation.search = 'nowhere'
    moderation.follow()
    expect(moderation.queue).toEqual([])
    expect(moderation.targets).toEqual([])
    expect(moderation.everything).toHaveLength(4)
  })

  it('is told what came while it was away, and none of it twice', () => {
    wire.happens('snapshot', { seq: 200, resumed: true, at: at(9) })
    wire.happens('events', [
      { seq: 150, type: 'chat.message', at: at(9), data: message('m7', 7) },
      { seq: 150, type: 'chat.message', at: at(9), data: message('m7', 7, { text: 'again' }) },
    ])
    expect(moderation.queue.map(({ key }) => key)).toEqual(['m1', 'm2', 'm3', 'q1', 'm7'])
    expect(moderation.audience.byId.get('m7')?.text).toBe('text of m7')
  })
})
