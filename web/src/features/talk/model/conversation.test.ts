import { beforeEach, expect, it } from 'vitest'
import type { JsonObject } from '$lib/api/types'
import type { LiveEvent } from '$lib/live/socket'
import { Conversation, MOST_MESSAGES } from './conversation.svelte'

const START_MS = Date.UTC(2026, 10, 24, 9)
const at = (s: number) => new Date(START_MS + s * 1000).toISOString()
const message = (id: string, s: number, fields: object = {}) => ({
  id,
  participant: 'p1',
  name: 'Ada',
  role: null,
  text: id,
  at: at(s),
  media_at: START_MS,
  session: null,
  reply_to: null,
  state: 'visible',
  ...fields,
})
const question = (id: string, s: number, fields: object = {}) => ({
  ...message(id, s),
  anonymous: false,
  place: null,
  edited: false,
  state: 'approved',
  votes: 0,
  ...fields,
})
const poll = (id: string, s: number, fields: object = {}) => ({
  id,
  kind: 'single',
  question: '?',
  options: [{ id: 0, text: 'Yes', votes: 0 }],
  voters: 0,
  state: 'open',
  results_at_end: false,
  at: at(s),
  media_at: START_MS,
  closed_at: null,
  session: null,
  ...fields,
})
let seq = 0
const event = (type: string, data: JsonObject): LiveEvent => ({ seq: ++seq, type, at_ms: 0, mediaAt_ms: null, data })
const audience = (fields: object = {}) => ({
  session: null,
  chat: [],
  questions: [],
  order: { by: 'fair', ids: [] },
  polls: [],
  mode: { chat: 'open', slow_seconds: 30, questions: 'open', anonymous: true, order: 'fair' },
  notice: null,
  presence: { participants: 2, hls: 1, whep: 0, viewers: 2 },
  ...fields,
})
const own = (fields: object = {}) => ({
  you: { muted_until: null, banned: false, name: 'Ada' },
  chat: [],
  questions: [],
  votes: [],
  polls: {},
  ...fields,
})
const you = { id: 'p1', role: null, name: 'Ada', place: 'hall', key: null }
const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id)

let talk: Conversation

beforeEach(() => {
  talk = new Conversation()
  talk.snapshot({ you, audience: audience(), own: own() }, false)
})

it('takes a snapshot with what is one’s own in between', () => {
  talk.snapshot(
    {
      you,
      audience: audience({ chat: [message('a', 1), message('c', 3)], presence: { participants: 9, viewers: 9 } }),
      own: own({ chat: [message('b', 2, { state: 'held' })], votes: ['q'], polls: { v: [1] } }),
    },
    false,
  )
  expect(ids(talk.messages)).toEqual(['a', 'b', 'c'])
  expect(talk.votes.has('q')).toBe(true)
  expect(talk.choices.get('v')).toEqual([1])
  expect(talk.presence?.viewers).toBe(9)
  expect(talk.you.place).toBe('hall')
})

it('keeps everything where it resumes, and drops it where events are missing', () => {
  talk.event(event('chat.message', message('a', 1)))
  talk.snapshot({ you, resumed: true, audience: null, own: null }, false)
  expect(ids(talk.messages)).toEqual(['a'])
  talk.snapshot({ you, reset: true, audience: audience({ chat: [message('b', 2)] }), own: own() }, true)
  expect(ids(talk.messages)).toEqual(['b'])
})

it('puts a message that was let through late where it was said', () => {
  talk.events([
    event('chat.message', message('a', 1)),
    event('chat.message', message('c', 3)),
    event('chat.message', message('b', 2)),
  ])
  expect(ids(talk.messages)).toEqual(['a', 'b', 'c'])
})

it('replaces one’s held message by the one that everybody sees', () => {
  talk.event(event('chat.message', message('a', 1, { state: 'held' })))
  talk.event(event('chat.message', message('a', 1)))
  expect(talk.messages).toHaveLength(1)
  expect(talk.message('a')?.state).toBe('visible')
})

it('forgets a message that came and went in one batch', () => {
  talk.events([event('chat.message', message('a', 1)), event('chat.deleted', { id: 'a' })])
  expect(talk.messages).toEqual([])
})

it('keeps the newest of very many', () => {
  talk.events(Array.from({ length: MOST_MESSAGES + 10 }, (_, n) => event('chat.message', message(`m${n}`, n))))
  expect(talk.messages).toHaveLength(MOST_MESSAGES)
  expect(talk.messages[0]?.id).toBe('m10')
})

it('has questions in the order that is told, those not named yet last', () => {
  talk.events([
    event('question.changed', question('a', 1)),
    event('question.changed', question('b', 2)),
    event('question.changed', question('c', 3)),
    event('question.order', { by: 'fair', ids: ['b', 'a'] }),
  ])
  expect(ids(talk.waiting)).toEqual(['b', 'a', 'c'])
  talk.event(event('question.changed', question('b', 2, { state: 'on_stage', staged_at: START_MS })))
  expect(ids(talk.onStage)).toEqual(['b'])
  talk.event(event('question.changed', question('b', 2, { state: 'answered', answered_at: START_MS })))
  expect([ids(talk.waiting), ids(talk.onStage), ids(talk.answered)]).toEqual([['a', 'c'], [], ['b']])
})

it('keeps one’s own question apart from what everybody sees of it', () => {
  const mine = question('q', 1, { mine: true, withdrawn: false, merged_into: null })
  talk.event(event('question.changed', { ...mine, state: 'pending' }))
  expect(ids(talk.mine)).toEqual(['q'])
  expect(talk.waiting).toEqual([])
  talk.events([
    event('question.changed', question('q', 1, { anonymous: true, name: null, participant: null })),
    event('question.changed', mine),
  ])
  expect(talk.waiting[0]).toMatchObject({ id: 'q', name: null })
  expect(talk.isMine(talk.waiting[0]!)).toBe(true)
  talk.event(event('question.changed', { id: 'q', removed: true, state: 'dismissed' }))
  expect(talk.waiting).toEqual([])
  expect(ids(talk.mine)).toEqual(['q'])
  talk.event(event('question.changed', { ...mine, withdrawn: true }))
  expect(talk.mine).toEqual([])
})

it('shows closed polls of this session only, open ones first', () => {
  talk.events([
    event('poll.changed', poll('a', 1, { state: 'closed' })),
    event('poll.changed', poll('b', 2)),
    event('poll.changed', poll('c', 3, { state: 'closed', session: 'before' })),
  ])
  expect(ids(talk.polls)).toEqual(['b', 'a'])
  talk.event(event('questions.session', { session: 'next' }))
  expect(ids(talk.polls)).toEqual(['b'])
  talk.event(event('poll.changed', { id: 'b', removed: true }))
  expect(talk.polls).toEqual([])
})

it('follows mode, notice, presence, reactions and what holds for the participant', () => {
  talk.events([
    event('room.mode', { chat: 'slow', slow_seconds: 20, questions: 'closed', anonymous: false, order: 'votes' }),
    event('notice', { id: 'n', text: 'Back at ten', at: at(0), until: null }),
    event('presence', { participants: 1, hls: 3, whep: 1, viewers: 4 }),
    event('reaction.counts', { counts: { clap: 2 } }),
    event('you', { muted_until: at(60), banned: false }),
  ])
  expect(talk.mode).toMatchObject({ chat: 'slow', slow_s: 20 })
  expect(talk.notice?.text).toBe('Back at ten')
  expect(talk.presence?.viewers).toBe(4)
  expect(talk.reactions?.counts.get('clap')).toBe(2)
  expect(talk.standing.mutedUntil_ms).toBe(START_MS + 60_000)
  talk.event(event('notice', { id: 'another', removed: true }))
  expect(talk.notice).not.toBeNull()
  talk.event(event('notice', { id: 'n', removed: true }))
  expect(talk.notice).toBeNull()
})

it('survives what it does not know', () => {
  talk.events([
    event('chat.message', { id: 'x' }),
    event('question.changed', { id: 'x', state: '?' }),
    event('sparkle', {}),
    event('notice', {}),
  ])
  expect(talk.messages).toEqual([])
})

it('votes and chooses for the participant', () => {
  talk.voted('q', true)
  talk.chose('p', [0, 2])
  expect([talk.votes.has('q'), talk.choices.get('p')]).toEqual([true, [0, 2]])
  talk.voted('q', false)
  talk.chose('p', [])
  expect([talk.votes.size, talk.choices.size]).toEqual([0, 0])
})
