import { describe, expect, it } from 'vitest'
import type { JsonObject } from '$lib/api/types'
import type { Answer } from '$lib/live/socket'
import {
  afterEvents,
  FIRST_LOOK_MS,
  markKey,
  readMark,
  readRoomCrewMessages,
  unreadOf,
  withCrewMessage,
} from './crew-messages'
import { CrewChannel, TROUBLE_MS } from './crew-channel.svelte'

const NOON_MS = Date.UTC(2026, 10, 24, 12)
const at = (minutes: number) => new Date(NOON_MS + minutes * 60_000).toISOString()
const line = (id: string, minutes: number, text = id, label = 'Anna') => ({
  id,
  to: 'crew',
  label,
  text,
  at: at(minutes),
  room: 'turing',
})
const told = (data: JsonObject, type = 'crew.line') => ({ seq: 1, type, at_ms: NOON_MS, mediaAt_ms: null, data })
const no = (code: string): Answer => ({ ok: false, error: { code, message: '', retryAfter_ms: null } }) as Answer

class Store {
  readonly kept = new Map<string, string>()
  getItem = (key: string) => this.kept.get(key) ?? null
  setItem = (key: string, value: string) => void this.kept.set(key, value)
}

function talking(store = new Store()) {
  const sent: [string, unknown][] = []
  const answers: Answer[] = []
  let meanwhile: () => void = () => undefined
  const talk = new CrewChannel('turing', {
    store,
    now_ms: () => NOON_MS,
    send: (command, data) => {
      sent.push([command, data])
      meanwhile()
      return Promise.resolve(answers.shift() ?? no('no_answer'))
    },
  })
  return { talk, sent, answers, store, during: (run: () => void) => (meanwhile = run) }
}

const ids = (talk: CrewChannel) => talk.unread.map(({ id }) => id)

describe('the crew’s line in a room', () => {
  it('keeps lines in order, each once, and takes away what was taken back', () => {
    const { talk } = talking()
    talk.snapshot({ lines: [line('a', -2), line('b', -1), { id: 'no time' }] })
    talk.event(told(line('c', 0)))
    talk.event(told(line('c', 0, 'again')))
    expect(talk.lines.map(({ text }) => text)).toEqual(['a', 'b', 'again'])
    expect(talk.arrived).toBe(1)
    talk.event(told({ id: 'b', removed: true }))
    expect(talk.lines.map(({ id }) => id)).toEqual(['a', 'c'])
    talk.snapshot({ resumed: true, lines: null })
    expect(talk.lines).toHaveLength(2)
  })

  it('remembers in this browser how far it has been read', () => {
    const { talk, store } = talking()
    talk.snapshot({ lines: [line('long ago', -FIRST_LOOK_MS / 60_000 - 1), line('a', -1)] })
    expect(ids(talk)).toEqual(['a'])
    talk.seen()
    expect(ids(talk)).toEqual([])
    talk.event(told(line('b', 1)))
    const { talk: next } = talking(store)
    next.snapshot({ lines: [line('a', -1), line('b', 1)] })
    expect(ids(next)).toEqual(['b'])
    talk.seen()
    next.marked()
    expect(ids(next)).toEqual([])
    expect(readMark(store, 'turing')).toBe(NOON_MS + 60_000)
  })

  it('says something, which is neither new nor a sound, and takes it back', async () => {
    const { talk, sent, answers, during } = talking()
    talk.snapshot({ lines: [line('a', -1)] })
    during(() => talk.event(told(line('mine', 0, 'On it', 'Bob'))))
    answers.push({ ok: true, data: { id: 'mine', action: 'x1' } })
    talk.draft = ' On it '
    expect(await talk.say()).toBe(true)
    expect(sent).toEqual([['crew.say', { text: 'On it', to: 'crew' }]])
    expect([talk.draft, talk.arrived, talk.problem, ids(talk)]).toEqual(['', 0, '', []])
    expect(talk.own.get('mine')).toBe('x1')
    during(() => undefined)
    answers.push({ ok: true, data: {} })
    expect(await talk.takeBack('mine')).toBe(true)
    expect(await talk.takeBack('a')).toBe(false)
    expect(sent.at(-1)).toEqual(['undo', { action: 'x1' }])
    expect(talk.lines.map(({ id }) => id)).toEqual(['a'])
  })

  it('keeps the words where they were not sent, until they turn out to have been', async () => {
    const { talk, answers } = talking()
    answers.push(no('not_connected'))
    talk.draft = 'On it'
    expect(await talk.say()).toBe(false)
    expect([talk.draft, talk.problem]).toEqual(['On it', 'not_connected'])
    talk.event(told(line('theirs', 0, 'On it')))
    expect([talk.draft, talk.arrived]).toEqual(['On it', 1])
    answers.push(no('no_answer'))
    expect(await talk.say()).toBe(false)
    talk.event(told(line('mine', 1, 'On it', 'Bob')))
    expect([talk.draft, talk.problem, talk.arrived]).toEqual(['', '', 1])
  })

  it('tells what viewers complain of for a minute', () => {
    const { talk } = talking()
    talk.event(told({ kind: 'no_sound', people: 1, alarm: false }, 'trouble'))
    talk.event(told({ kind: 'stutter', people: 2, alarm: false }, 'trouble'))
    talk.event(told({ kind: 'no_sound', people: 3, alarm: true }, 'trouble'))
    expect(talk.troublesNow(NOON_MS).map(({ kind, people }) => [kind, people])).toEqual([
      ['no_sound', 3],
      ['stutter', 2],
    ])
    expect(talk.troublesNow(NOON_MS + TROUBLE_MS)).toEqual([])
    expect(talk.event(told({}, 'alarm'))).toBe(false)
  })
})

describe('the lines of all rooms', () => {
  it('are told apart by room, and only what had not been known is fresh', () => {
    const rooms = readRoomCrewMessages([line('a', -1), { ...line('b', 0), room: 'curie' }, 'nothing'])
    const after = afterEvents(rooms, [
      told(line('a', -1, 'changed')),
      told({ ...line('c', 1), room: 'curie' }),
      told({ ...line('d', 1), room: 'curie' }, 'alarm'),
    ])
    expect(after.fresh).toEqual(['curie'])
    expect(after.rooms.get('turing')?.map(({ text }) => text)).toEqual(['changed'])
    expect(unreadOf(after.rooms.get('curie') ?? [], NOON_MS, NOON_MS).map(({ id }) => id)).toEqual(['c'])
    const gone = afterEvents(after.rooms, [told({ id: 'a', removed: true, room: 'turing' })])
    expect(gone.rooms.get('turing')).toEqual([])
  })

  it('are bounded', () => {
    let lines = withCrewMessage([], line('first', -1))
    for (let index = 0; index < 250; index++) lines = withCrewMessage(lines, line(`l${index}`, index))
    expect(lines).toHaveLength(200)
    expect(lines.at(-1)?.id).toBe('l249')
    expect(markKey('turing')).toContain('turing')
  })
})
