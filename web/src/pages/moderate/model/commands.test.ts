import { describe, expect, it } from 'vitest'
import type { Answer } from '$lib/live/socket'
import { approve, ban, ModeratorCommands, MOST_IDS, mute, remove, UNDO_MS } from './commands.svelte'
import type { Entry } from './queue'
import type { Report } from './wire'

const entry = (key: string, kind: Entry['kind'], waits = true, reported = false): Entry => ({
  key,
  kind,
  waits,
  participant: 'p1',
  name: 'Ann',
  text: key,
  at_ms: 0,
  reason: null,
  message: null,
  question: null,
  reports: reported ? [{ id: `r ${key}` } as Report] : [],
})
const refusal = (code: string, retryAfter_ms: number | null = null): Answer => ({
  ok: false,
  error: { code, message: '', details: code === 'claimed' ? { by: 'Mo' } : null, retryAfter_ms },
})

class Server {
  now_ms = 1_000
  sent: [string, Record<string, unknown>][] = []
  refuse = new Map<string, Answer[]>()
  waited: number[] = []
  /** Answers wait for it. */
  reachable: Promise<void> = Promise.resolve()
  readonly commands = new ModeratorCommands({
    send: async (command, data) => {
      this.sent.push([command, data])
      const refused = this.refuse.get(command)?.shift()
      const action = `a${this.sent.length}`
      await this.reachable
      return refused ?? { ok: true, data: { ok: true, action } }
    },
    now: () => this.now_ms,
    wait: async (ms) => void this.waited.push(ms),
  })
}

describe('commands', () => {
  it('approves held chat and pending questions in one, and settles reports of what is seen', () => {
    const { steps, kind } = approve([
      entry('m1', 'message'),
      entry('q1', 'question'),
      entry('m2', 'message', false, true),
      entry('m3', 'message', true, true),
    ])
    expect(kind).toBe('approve')
    expect(steps.map(({ command, data }) => [command, data])).toEqual([
      ['chat.approve', { ids: ['m1', 'm3'] }],
      ['question.move', { ids: ['q1'], state: 'approved' }],
      ['report.resolve', { id: 'm2' }],
      ['report.resolve', { id: 'm3' }],
    ])
    expect(approve([entry('m2', 'message', false, true)]).kind).toBe('keep')
  })

  it('deletes in as many commands as the server takes', () => {
    const many = Array.from({ length: MOST_IDS + 1 }, (_, index) => entry(`m${index}`, 'message'))
    const { steps, count } = remove([...many, entry('q1', 'question')], '', 'rude')
    expect(count).toBe(MOST_IDS + 2)
    expect(steps.map(({ command, data }) => [command, (data['ids'] as string[]).length, data['reason']])).toEqual([
      ['chat.delete', MOST_IDS, 'rude'],
      ['chat.delete', 1, 'rude'],
      ['question.move', 1, 'rude'],
    ])
  })

  it('mutes and bans each of several', () => {
    const people = [
      { id: 'p1', name: 'Ann' },
      { id: 'p2', name: 'Ben' },
    ]
    expect(mute(people, 60).steps.map(({ data }) => data)).toEqual([
      { id: 'p1', seconds: 60 },
      { id: 'p2', seconds: 60 },
    ])
    expect(mute(people.slice(0, 1), 0)).toMatchObject({ kind: 'unmute', subject: 'Ann' })
    expect(ban(people.slice(1), 'spam', true)).toMatchObject({
      subject: 'Ben',
      steps: [{ command: 'participant.ban', data: { id: 'p2', reason: 'spam', remove: true } }],
    })
  })
})

describe('doing and undoing', () => {
  it('offers what was done for ten seconds, and takes all of it back, the last first', async () => {
    const server = new Server()
    await server.commands.do(remove([entry('m1', 'message'), entry('q1', 'question')]))
    const done = server.commands.latest(server.now_ms)!
    expect(done).toMatchObject({ kind: 'delete', count: 2, actions: ['a1', 'a2'], undone: false })
    expect(server.commands.latest(server.now_ms + UNDO_MS)).toBe(null)
    expect(await server.commands.undo(done)).toBe(true)
    expect(server.sent.slice(2)).toEqual([
      ['undo', { action: 'a2' }],
      ['undo', { action: 'a1' }],
    ])
    expect(server.commands.done[0]!.undone).toBe(true)
    await server.commands.undo(server.commands.done[0]!)
    expect(server.sent).toHaveLength(4)
  })

  it('takes back the command that is not answered yet, not the one before it, and then that one', async () => {
    const server = new Server()
    await server.commands.do(remove([entry('m1', 'message')]))
    let answer = () => {}
    server.reachable = new Promise((resolve) => (answer = resolve))
    void server.commands.do(ban([{ id: 'p1', name: 'Pest' }], '', false))
    void server.commands.undoLast()
    const both = server.commands.undoLast()
    answer()
    await both
    expect(server.sent.slice(2)).toEqual([
      ['undo', { action: 'a2' }],
      ['undo', { action: 'a1' }],
    ])
    await server.commands.undoLast()
    expect(server.commands.refusal?.code).toBe('nothing')
  })

  it('says what was refused, and keeps the way back of what was done before', async () => {
    const server = new Server()
    server.refuse.set('question.move', [refusal('wrong_state')])
    const answer = await server.commands.do(remove([entry('m1', 'message'), entry('q1', 'question')], 'x'))
    expect(answer).toBe(null)
    expect(server.commands.refusal).toMatchObject({ kind: 'delete', code: 'wrong_state', subject: 'x' })
    expect(server.commands.latest(server.now_ms)?.actions).toEqual(['a1'])
    expect(server.commands.busy.size).toBe(0)
  })

  it('comes again when the server says that it is too much at once', async () => {
    const server = new Server()
    server.refuse.set('chat.delete', [refusal('rate_limited', 300), refusal('rate_limited', 60_000)])
    expect(await server.commands.do(remove([entry('m1', 'message')]))).not.toBe(null)
    expect(server.waited).toEqual([300, 5_000])
    expect(server.commands.refusal).toBe(null)
  })

  it('says who works on it', async () => {
    const server = new Server()
    server.refuse.set('undo', [refusal('claimed')])
    expect(await server.commands.undoAction('a9')).toBe(false)
    expect(server.commands.refusal).toMatchObject({ kind: 'undo', by: 'Mo' })
  })

  it('does nothing where there is nothing to do', async () => {
    const server = new Server()
    expect(await server.commands.do(remove([]))).toBe(null)
    expect(server.sent).toEqual([])
    expect(server.commands.done).toEqual([])
  })
})
