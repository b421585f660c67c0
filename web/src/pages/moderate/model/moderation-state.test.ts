import { describe, expect, it } from 'vitest'
import type { JsonObject } from '$lib/api/types'
import type { LiveEvent } from '$lib/live/socket'
import { ModerationState, MOST_MESSAGES } from './moderation-state.svelte'

const at = (s: number) => new Date(1_800_000_000_000 + s * 1000).toISOString()
const message = (id: string, s: number, more: Record<string, unknown> = {}) => ({
  id,
  participant: 'p1',
  name: 'Ann',
  role: null,
  text: `text of ${id}`,
  at: at(s),
  media_at: 1_800_000_000_000,
  session: null,
  reply_to: null,
  state: 'visible',
  reason: null,
  until: null,
  ...more,
})
const question = (id: string, s: number, more: Record<string, unknown> = {}) => ({
  id,
  participant: 'p1',
  name: 'Ann',
  role: null,
  anonymous: false,
  place: null,
  text: `question ${id}`,
  edited: false,
  state: 'approved',
  votes: 0,
  at: at(s),
  media_at: 0,
  staged_at: null,
  answered_at: null,
  session: 's1',
  original: null,
  reason: null,
  merged_into: null,
  withdrawn: false,
  archived: false,
  ...more,
})
let seq = 0
const event = (type: string, data: JsonObject): LiveEvent => ({ seq: ++seq, type, at_ms: 0, mediaAt_ms: null, data })
const moderation = (more: Record<string, unknown> = {}) => ({
  moderation: {
    session: 's1',
    chat: [],
    questions: [],
    order: { by: 'fair', ids: [] },
    left_over: [],
    polls: [],
    mode: { chat: 'open', slow_seconds: 10, questions: 'open', anonymous: false, order: 'fair', shield: false },
    notice: null,
    sanctions: [],
    address_holds: [],
    reports: [],
    actions: [],
    lines: [],
    presence: { participants: 3, hls: 2, whep: 0, viewers: 3 },
    claims: [],
    ...more,
  },
})
const audienceWith = (more: Record<string, unknown> = {}) => {
  const made = new ModerationState()
  made.snapshot(moderation(more), 'a')
  return made
}

describe('what moderators are told', () => {
  it('keeps what was deleted, with why, and drops what was erased for good', () => {
    const made = audienceWith({ chat: [message('m1', 1), message('m2', 2)] })
    made.events([event('chat.deleted', { id: 'm1', state: 'deleted', reason: 'rude' })])
    expect(made.byId.get('m1')).toMatchObject({ state: 'deleted', reason: 'rude', text: 'text of m1' })
    made.events([event('chat.deleted', { id: 'm2' })])
    expect(made.byId.has('m2')).toBe(false)
  })

  it('puts a message in its place by time, and replaces what it has of the same id', () => {
    const made = audienceWith({ chat: [message('m1', 1), message('m3', 3)] })
    made.events([event('chat.message', message('m2', 2)), event('chat.message', message('m1', 1, { state: 'held' }))])
    expect(made.messages.map(({ id, state }) => [id, state])).toEqual([
      ['m1', 'held'],
      ['m2', 'visible'],
      ['m3', 'visible'],
    ])
  })

  it('is bounded, and never drops what waits', () => {
    const made = audienceWith({ chat: [message('held', 0, { state: 'held' })] })
    made.events(
      Array.from({ length: MOST_MESSAGES + 500 }, (_, index) => event('chat.message', message(`m${index}`, index + 1))),
    )
    expect(made.messages.length).toBe(MOST_MESSAGES + 1)
    expect(made.messages[0]!.id).toBe('held')
  })

  it('orders the board as the server does, merged and withdrawn ones left out', () => {
    const made = audienceWith({
      questions: [
        question('q1', 1),
        question('q2', 2),
        question('q3', 3, { merged_into: 'q1' }),
        question('q4', 4, { withdrawn: true }),
        question('q5', 5, { state: 'on_stage', staged_at: 5 }),
      ],
      order: { by: 'votes', ids: ['q2', 'q1'] },
    })
    expect(made.waiting.map(({ id }) => id)).toEqual(['q2', 'q1'])
    expect(made.onStage.map(({ id }) => id)).toEqual(['q5'])
    expect(made.partsOf('q1').map(({ id }) => id)).toEqual(['q3'])
    made.events([event('question.order', { by: 'time', ids: ['q1', 'q2'] })])
    expect(made.waiting.map(({ id }) => id)).toEqual(['q1', 'q2'])
  })

  it('leaves over what the session before did not answer, until it is carried over', () => {
    const made = audienceWith({ questions: [question('q1', 1), question('q2', 2, { state: 'answered' })] })
    made.events([event('questions.session', { session: 's2', left_over: ['q1'] })])
    expect(made.waiting).toEqual([])
    expect(made.left.map(({ id }) => id)).toEqual(['q1'])
    made.events([event('question.changed', question('q1', 1, { session: 's2' }))])
    expect(made.left).toEqual([])
    expect(made.waiting.map(({ id }) => id)).toEqual(['q1'])
  })

  it('follows sanctions, reports, claims, actions, lines and polls by their events', () => {
    const made = audienceWith()
    made.events([
      event('sanction', { participant: 'p1', name: 'Ann', muted_until: null, banned: true, reason: null }),
      event('report', {
        id: 'r1',
        kind: 'message',
        item: 'm1',
        participant: 'p2',
        reason: 'x',
        at: at(1),
        resolved: false,
      }),
      event('claim', { id: 'm1', by: 'Mo', until: at(30) }),
      event('action', { id: 'a1', kind: 'chat.delete', target: 'm1', who: 'Mo', at: at(1), undoable: true }),
      event('crew.line', { id: 'l1', to: 'crew', label: 'Mo', text: 'Hello', at: at(1) }),
      event('poll.changed', {
        id: 'o1',
        kind: 'single',
        question: '?',
        options: [{ id: 0, text: 'Yes', votes: 1 }],
        state: 'open',
        at: at(1),
      }),
    ])
    expect(made.sanctions.get('p1')?.banned).toBe(true)
    expect([...made.reports.keys()]).toEqual(['r1'])
    expect(made.claims.get('m1')?.by).toBe('Mo')
    expect(made.actions.map(({ id }) => id)).toEqual(['a1'])
    expect(made.lines.map(({ text }) => text)).toEqual(['Hello'])
    made.events([
      event('sanction', { participant: 'p1', name: 'Ann', muted_until: null, banned: false, reason: null }),
      event('report', { id: 'r1', kind: 'message', item: 'm1', participant: 'p2', at: at(1), resolved: true }),
      event('claim', { id: 'm1', by: null, until: at(1) }),
      event('action', {
        id: 'a1',
        kind: 'chat.delete',
        target: 'm1',
        who: 'Mo',
        at: at(1),
        undoable: false,
        undone: at(2),
      }),
      event('crew.line', { id: 'l1', to: 'crew', removed: true }),
      event('poll.changed', { id: 'o1', removed: true }),
    ])
    expect(made.sanctions.size + made.reports.size + made.claims.size + made.lines.length + made.polls.length).toBe(0)
    expect(made.actions[0]).toMatchObject({ undoable: false, undone_ms: expect.any(Number) as number })
  })

  it('keeps what it has when it resumes, and takes what there is after a reset', () => {
    const made = audienceWith({ chat: [message('m1', 1)] })
    made.snapshot({ moderation: null, resumed: true }, 'a')
    expect(made.messages.map(({ id }) => id)).toEqual(['m1'])
    made.snapshot(moderation({ chat: [message('m9', 9)] }), 'a', true)
    expect(made.messages.map(({ id }) => id)).toEqual(['m9'])
  })

  it('takes nothing from what it cannot read', () => {
    const made = audienceWith({ chat: [message('m1', 1), { id: 5 }, null, 'x'] })
    made.events([
      event('chat.message', { id: 'm2' }),
      event('report', { id: 7 }),
      event('claim', {}),
      event('unknown', {}),
    ])
    expect(made.messages.map(({ id }) => id)).toEqual(['m1'])
  })
})
