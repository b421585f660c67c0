import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { LivePorts, WireSocket } from '$lib/live/socket'
import { questionActions } from './question-actions'
import { Talk } from './talk.svelte'

class Wire implements WireSocket {
  connected = false
  sent: { event: string; data: Record<string, unknown> }[] = []
  answers: unknown[] = []
  private readonly listeners = new Map<string, (...values: never[]) => void>()
  constructor(readonly auth: () => Record<string, unknown>) {}
  on(event: string, listener: (...values: never[]) => void) {
    this.listeners.set(event, listener)
  }
  connect() {}
  disconnect() {
    this.connected = false
  }
  timeout() {
    return {
      emitWithAck: async (event: string, data: unknown) => {
        this.sent.push({ event, data: data as Record<string, unknown> })
        return this.answers.shift() ?? { ok: true }
      },
    }
  }
  happens(event: string, ...values: unknown[]) {
    this.connected = event === 'connect' || (this.connected && event !== 'disconnect')
    this.listeners.get(event)?.(...(values as never[]))
  }
}

const NOW_MS = Date.UTC(2026, 10, 24, 9)
const at = (s = 0) => new Date(NOW_MS + s * 1000).toISOString()
const mode = (fields: object = {}) => ({
  chat: 'open',
  slow_seconds: 30,
  questions: 'open',
  anonymous: true,
  order: 'fair',
  ...fields,
})
const message = (id: string, fields: object = {}) => ({
  id,
  participant: 'other',
  name: 'Ada',
  role: null,
  text: id,
  at: at(),
  media_at: NOW_MS,
  state: 'visible',
  ...fields,
})
const question = (id: string) => ({ ...message(id), anonymous: false, state: 'approved', votes: 0 })
const refused = (code: string, retry_after?: number) => ({ ok: false, error: { code, message: '', retry_after } })

let wires: Wire[]
let talk: Talk
let picture_ms: number
let seq: number
const ports: LivePorts = {
  open: async (_namespace, auth) => {
    wires.push(new Wire(auth))
    return wires.at(-1)!
  },
  random: () => 0,
}
const wire = () => wires.at(-1)!
const settled = (ms = 0) => vi.advanceTimersByTimeAsync(ms)
const tell = (type: string, data: object) => wire().happens('events', [{ seq: ++seq, type, at: at(), data }])

function snapshot(fields: { mode?: object; you?: object; audience?: object; own?: object } = {}) {
  wire().happens('connect')
  wire().happens('snapshot', {
    seq,
    at: at(),
    you: { id: 'me', role: null, name: 'Grace', place: '', key: null, ...fields.you },
    audience: { session: null, chat: [], questions: [], polls: [], mode: mode(fields.mode), ...fields.audience },
    own: {
      you: { muted_until: null, banned: false, name: null },
      chat: [],
      questions: [],
      votes: [],
      polls: {},
      ...fields.own,
    },
  })
}

beforeEach(async () => {
  vi.useFakeTimers({ now: NOW_MS })
  wires = []
  seq = 1
  picture_ms = NOW_MS - 4_000.4
  talk = new Talk({ room: 'turing' }, () => picture_ms, ports)
  talk.start()
  await settled()
})
afterEach(() => {
  talk.stop()
  vi.useRealTimers()
})

it('lets the chat follow a picture that is more than half a minute behind live', async () => {
  const said = (id: string, s: number) => message(id, { at: at(s), media_at: NOW_MS + s * 1000 })
  snapshot({ audience: { chat: [said('old', -120), said('seen', -41), said('later', -20), said('new', -2)] } })
  const ids = () => talk.view.messages.map(({ id }) => id)
  await settled(500)
  expect(talk.view.picture_ms).toBeNull()
  expect(ids()).toEqual(['old', 'seen', 'later', 'new'])

  picture_ms = NOW_MS - 40_000
  await settled(500)
  expect(ids()).toEqual(['old', 'seen'])
  expect(talk.view.ahead).toBe(2)
  tell('chat.message', said('newer', 1))
  expect(talk.view.ahead).toBe(3)
  tell('chat.deleted', { id: 'old' })
  expect(ids(), 'what is removed is gone at once').toEqual(['seen'])
  // An answer to the picture is there, and belongs to it.
  talk.say('hello', null)
  await settled()
  expect(wire().sent.at(-1)?.data).toMatchObject({ media_at: NOW_MS - 40_000 })
  tell('chat.message', message('mine', { participant: 'me', at: at(2), media_at: NOW_MS - 40_000 }))
  expect(ids()).toEqual(['seen', 'mine'])
  tell('poll.changed', {
    id: 'p',
    question: 'Tea?',
    options: [{ id: 0, text: 'Yes', votes: 0 }],
    at: at(2),
    state: 'open',
  })
  expect(talk.toVote?.id, 'polls are live').toBe('p')

  picture_ms = NOW_MS - 20_000
  await settled(11_000)
  expect(ids()).toEqual(['seen', 'mine', 'later'])

  talk.view.live = true
  expect(ids()).toEqual(['seen', 'later', 'new', 'newer', 'mine'])
  picture_ms = Date.now() - 4_000
  await settled(500)
  expect([talk.view.picture_ms, talk.view.live, talk.view.ahead]).toEqual([null, false, 0])
})

it('calls to a vote and to the stage only while the session that they belong to is on', () => {
  const poll = { id: 'p', session: 's', question: 'Tea?', options: [{ id: 0, text: 'Yes' }], at: at(-9), state: 'open' }
  const question = { id: 'q', session: 's', text: 'Why?', state: 'on_stage', at: at(-9) }
  snapshot({ audience: { session: 's', polls: [poll], questions: [question] } })
  const calls = () => [talk.toVote?.id, talk.staged?.id]
  expect(calls(), 'a server that does not tell').toEqual(['p', 'q'])
  talk.running = 's'
  expect(calls()).toEqual(['p', 'q'])
  for (const after of [null, 'next']) {
    talk.running = after
    expect(calls()).toEqual([undefined, undefined])
  }
  talk.running = null
  tell('poll.changed', { ...poll, id: 'rating', at: at(1) })
  expect(calls(), 'opened after the end, for those who were there').toEqual(['rating', undefined])
  talk.running = 'next'
  expect(calls()).toEqual([undefined, undefined])
  tell('poll.changed', { ...poll, id: 'r', session: null })
  expect(calls(), 'of no session').toEqual(['r', undefined])
})

it('says and asks with the media time of the picture', async () => {
  snapshot()
  talk.say('hello', 'm0')
  talk.ask('why?', true)
  await settled(1_000)
  expect(wire().sent).toEqual([
    { event: 'chat.send', data: { text: 'hello', reply_to: 'm0', media_at: NOW_MS - 4_000 } },
    { event: 'question.ask', data: { text: 'why?', anonymous: true, media_at: NOW_MS - 4_000 } },
  ])
})

it('keeps what is said without a connection and sends it once, after what was missed has come', async () => {
  snapshot()
  wire().happens('disconnect', 'transport close')
  talk.say('hello', null)
  await settled(100)
  expect(wire().sent).toEqual([])
  expect(talk.chat.outgoing).toHaveLength(1)
  await settled(1_500)
  wire().happens('connect')
  wire().happens('snapshot', { seq, resumed: true, at: at(), you: { id: 'me', name: 'Grace' }, audience: null })
  await settled(1_000)
  expect(wire().sent).toHaveLength(1)
})

it('counts what came while another tab was looked at, but not one’s own', () => {
  snapshot()
  talk.look('questions')
  tell('chat.message', message('a'))
  tell('chat.message', message('a', { text: 'changed' }))
  tell('chat.message', message('b', { participant: 'me' }))
  tell('question.changed', question('q'))
  tell('poll.changed', { id: 'p', question: '?', options: [{ id: 0, text: 'x', votes: 0 }], at: at(), state: 'open' })
  expect(talk.unread).toEqual({ chat: 1, questions: 0, polls: 1 })
  talk.look('chat')
  expect(talk.unread).toEqual({ chat: 0, questions: 0, polls: 1 })
  talk.look(null)
  tell('chat.message', message('c'))
  expect(talk.unread.chat).toBe(1)
})

it('waits as the slow mode has it, and no longer than it holds', async () => {
  snapshot({ mode: { chat: 'slow', slow_seconds: 20 } })
  talk.say('one', null)
  await settled(1_000)
  expect(talk.chatPause).toMatchObject({ code: 'slow_mode' })
  expect(talk.questionPause).toBeNull()
  await settled(15_000)
  expect(talk.chatPause).not.toBeNull()
  await settled(6_000)
  expect(talk.chatPause).toBeNull()
  talk.say('two', null)
  await settled(1_000)
  tell('room.mode', mode())
  expect(talk.chatPause).toBeNull()
})

it('counts a mute down by the server’s clock, and a flood by the refusal', async () => {
  snapshot()
  wire().answers = [refused('flood', 4)]
  talk.say('again', null)
  await settled(500)
  expect(talk.chatPause).toMatchObject({ code: 'flood' })
  tell('you', { muted_until: at(60), banned: false })
  expect([talk.chatPause?.code, talk.questionPause?.code]).toEqual(['muted', 'muted'])
  await settled(61_000)
  expect(talk.chatPause).toBeNull()
})

it('takes a vote back that was refused, and says why', async () => {
  snapshot({ audience: { questions: [question('q')] } })
  wire().answers = [{ ok: true }, refused('wrong_state')]
  await talk.vote('q', true)
  expect(talk.conversation.votes.has('q')).toBe(true)
  await talk.vote('q', false)
  expect(talk.conversation.votes.has('q')).toBe(true)
  expect(talk.problem?.code).toBe('wrong_state')
  await settled(7_000)
  expect(talk.problem).toBeNull()
})

it('thanks for each report for its whole time', async () => {
  snapshot()
  await talk.report('message', 'm', '')
  await settled(4_000)
  await talk.report('message', 'm', '')
  await settled(4_000)
  expect(talk.thanked).toBe(true)
  await settled(2_000)
  wire().answers = [refused('no_such_message')]
  await talk.report('message', 'm', '')
  expect([talk.thanked, talk.problem?.code]).toEqual([false, 'no_such_message'])
})

it('has a name that another connection set, and tells a new one at the next connection', async () => {
  snapshot({ you: { name: '' } })
  expect(talk.named).toBe(false)
  wire().answers = [refused('name_reserved'), { ok: true, name: 'Grace H.', place: '' }]
  expect((await talk.setName('Admin'))?.code).toBe('name_reserved')
  expect(await talk.setName(' Grace  H.')).toBeNull()
  expect(talk.conversation.you.name).toBe('Grace H.')
  expect(wire().auth()).toMatchObject({ name: 'Grace H.' })
})

it('is quiet where nothing is open, and shows crew what only they may use', () => {
  snapshot({ mode: { chat: 'closed', questions: 'closed' } })
  expect(talk.tabs).toEqual([])
  tell('poll.changed', { id: 'p', question: '?', options: [{ id: 0, text: 'x', votes: 0 }], at: at(), state: 'open' })
  expect(talk.tabs).toEqual(['polls'])
  tell('room.mode', mode({ chat: 'read_only', questions: 'closed' }))
  expect([talk.tabs, talk.chatTaken]).toEqual([['chat', 'polls'], false])
  snapshot({ mode: { chat: 'read_only', questions: 'closed' }, you: { role: 'speaker' } })
  expect([talk.chatTaken, talk.questionsTaken]).toEqual([true, true])
})

it('takes nothing from somebody who was removed', () => {
  snapshot()
  wire().happens('closed', { error: { code: 'banned', message: '' } })
  expect([talk.banned, talk.chatTaken, talk.questionsTaken]).toEqual([true, false, false])
})

it('offers on a question’s card what its reader may do with it', () => {
  const others = question('q1')
  const mine = { ...question('q2'), state: 'on_stage' }
  const over = { ...question('q3'), state: 'answered' }
  const own = { questions: [mine, over].map((one) => ({ ...one, mine: true })) }
  const questions = [others, mine, over]
  const offered = () =>
    questions.map(({ id }) => {
      const actions = questionActions(talk, talk.conversation.question(id)!, () => {})
      return Object.entries(actions).flatMap(([name, action]) => (action ? [name] : []))
    })
  snapshot({ audience: { questions }, own })
  expect(offered()).toEqual([['onvote', 'onreport'], ['onvote', 'onwithdraw'], []])
  snapshot({ audience: { questions }, own: { ...own, you: { muted_until: null, banned: true, name: null } } })
  expect(offered()).toEqual([['onreport'], ['onwithdraw'], []])
})
