import { describe, expect, it } from 'vitest'
import type { ChatMessage, Question } from '$features/talk/model/items'
import { shortcutOf, SHORTCUTS, stepOf } from './keys'
import { around, atEnd, earlier, later, MOST_ROWS, Pause } from './pause.svelte'
import { Picker } from './picker.svelte'
import { byParticipant, chatOf, matches, ofMessage, queueOf } from './queue'
import type { Report } from './wire'

const message = (id: string, at_ms: number, more: Partial<ChatMessage> = {}): ChatMessage => ({
  id,
  participant: 'p1',
  name: 'Ann',
  role: null,
  text: `text of ${id}`,
  at_ms,
  mediaAt_ms: at_ms,
  session: null,
  replyTo: null,
  state: 'held',
  ...more,
})
const question = (id: string, at_ms: number, more: Partial<Question> = {}): Question => ({
  id,
  participant: 'p2',
  name: 'Ben',
  role: null,
  anonymous: false,
  place: null,
  text: `question ${id}`,
  edited: false,
  state: 'pending',
  votes: 0,
  at_ms,
  mediaAt_ms: at_ms,
  stagedAt_ms: null,
  answeredAt_ms: null,
  session: null,
  ...more,
})
const report = (id: string, item: string, at_ms: number): Report => ({
  id,
  item,
  at_ms,
  kind: 'message',
  participant: 'p9',
  reason: null,
  resolved: false,
})
const questions = (...all: Question[]) => new Map(all.map((one) => [one.id, one]))
const reports = (...all: Report[]) => new Map(all.map((one) => [one.id, one]))

describe('the queue', () => {
  it('has held chat, pending questions and reported items, the oldest first', () => {
    const queue = queueOf({
      messages: [message('m1', 10), message('m2', 1, { state: 'visible' }), message('m3', 3, { state: 'deleted' })],
      questions: questions(question('q1', 5), question('q2', 6, { state: 'approved' })),
      reports: reports(report('r1', 'm2', 7)),
    })
    expect(queue.map(({ key, waits, at_ms }) => [key, waits, at_ms])).toEqual([
      ['q1', true, 5],
      ['m2', false, 7],
      ['m1', true, 10],
    ])
  })

  it('has one entry for an item, however often it is reported, and for one that it does not know', () => {
    const queue = queueOf({
      messages: [message('m1', 10)],
      questions: questions(),
      reports: reports(report('r2', 'm1', 12), report('r1', 'm1', 11), report('r3', 'old', 2)),
    })
    expect(queue.map(({ key, text, reports: all }) => [key, text, all.map(({ id }) => id)])).toEqual([
      ['old', null, ['r3']],
      ['m1', 'text of m1', ['r1', 'r2']],
    ])
  })

  it('leaves out questions that are merged, withdrawn or of a session that is over', () => {
    const out = [{ mergedInto: 'q9' }, { withdrawn: true }, { archived: true }]
    const all = out.map((more, index) => question(`q${index}`, index, more))
    expect(queueOf({ messages: [], questions: questions(...all), reports: reports() })).toEqual([])
  })

  it('puts each one’s entries together on demand, who waits longest first', () => {
    const messages = [
      message('m1', 1, { participant: 'a' }),
      message('m2', 2, { participant: 'b' }),
      message('m3', 3, { participant: 'a' }),
    ]
    const queue = byParticipant(queueOf({ messages, questions: questions(), reports: reports() }))
    expect(queue.map(({ key }) => key)).toEqual(['m1', 'm3', 'm2'])
  })

  it('finds words wherever they are, without accents', () => {
    expect(matches('ecole matin', 'L’École', 'ce MATIN')).toBe(true)
    expect(matches('ecole soir', 'L’École', 'ce matin')).toBe(false)
    expect(matches('   ', null)).toBe(true)
  })

  it('has a message wait until others see it', () => {
    const states = ['held', 'delayed', 'visible', 'deleted'] as const
    expect(states.map((state) => ofMessage(message('m', 1, { state })).waits)).toEqual([true, true, false, false])
  })

  it('shows in the chat what is not held, or what is asked for', () => {
    const all = (['visible', 'delayed', 'held', 'deleted', 'withdrawn'] as const).map((state, index) =>
      message(state, index, { state }),
    )
    const ids = (filter: 'all' | 'visible' | 'held' | 'removed') => chatOf(all, filter, '').map(({ id }) => id)
    expect(ids('all')).toEqual(['visible', 'delayed', 'deleted', 'withdrawn'])
    expect(ids('visible')).toEqual(['visible', 'delayed'])
    expect(ids('held')).toEqual(['delayed', 'held'])
    expect(ids('removed')).toEqual(['deleted', 'withdrawn'])
  })
})

describe('selection', () => {
  const picker = (...keys: string[]) => {
    const made = new Picker()
    made.follow(keys)
    return made
  }

  it('moves inside the list and stays at its ends', () => {
    const made = picker('a', 'b', 'c')
    expect([made.move(1), made.move(1), made.move(1), made.move(1)]).toEqual(['a', 'b', 'c', 'c'])
    expect([made.move(-5), picker('a', 'b').move(-1), picker().move(1)]).toEqual(['a', 'b', null])
    expect([made.move(Infinity), made.move(-Infinity)]).toEqual(['c', 'a'])
    expect([picker('a', 'b').move(Infinity), picker('a', 'b').move(-Infinity)]).toEqual(['b', 'a'])
  })

  it('stands on the one that comes after what has gone, or before at the end', () => {
    const made = picker('a', 'b', 'c', 'd')
    made.go('b')
    made.follow(['a', 'd', 'e'])
    expect(made.cursor).toBe('d')
    made.follow(['a'])
    expect(made.cursor).toBe('a')
    made.follow([])
    expect(made.cursor).toBe(null)
  })

  it('is about what is selected, in the list’s order, else about where one is', () => {
    const made = picker('a', 'b', 'c', 'd')
    made.go('d')
    expect(made.targets).toEqual(['d'])
    made.toggle('c')
    made.toggle('a')
    expect(made.targets).toEqual(['a', 'c'])
    made.toggle('a')
    made.follow(['a', 'b', 'd'])
    expect(made.targets).toEqual(['d'])
  })

  it('reaches from the last that was selected by itself', () => {
    const made = picker('a', 'b', 'c', 'd')
    made.toggle('b')
    made.reach('d')
    expect(made.targets).toEqual(['b', 'c', 'd'])
    made.clear()
    expect(made.selected.size).toBe(0)
  })
})

describe('pause', () => {
  it('holds the list still, counts what comes, and shows it when nothing holds it any more', () => {
    let list = [{ id: 'a' }, { id: 'b' }]
    const pause = new Pause(() => list.map(({ id }) => id))
    pause.hold('hover')
    pause.hold('scroll')
    // One that is let through stands between what is there; it waits like the others.
    list = [{ id: 'a' }, { id: 'x' }, { id: 'b' }, { id: 'c' }]
    expect(pause.shown(list).map(({ id }) => id)).toEqual(['a', 'b'])
    expect(pause.fresh(list)).toBe(2)
    pause.let('scroll')
    expect(pause.fresh(list)).toBe(2)
    pause.let('hover')
    expect(pause.on).toBe(false)
    expect(pause.shown(list)).toHaveLength(4)
  })

  it('catches up while the pointer is still there, and goes on holding', () => {
    let list = [{ id: 'a' }]
    const pause = new Pause(() => list.map(({ id }) => id))
    pause.hold('hover')
    pause.hold('key')
    list = [...list, { id: 'b' }]
    pause.catchUp()
    expect(pause.fresh(list)).toBe(0)
    list = [...list, { id: 'c' }]
    expect(pause.fresh(list)).toBe(1)
    expect(pause.has('key')).toBe(false)
  })

  it('has a bounded span of rows wherever one is in a long list', () => {
    const length = 5_000
    let span = atEnd(length)
    expect(span).toEqual({ start: length - MOST_ROWS, end: length })
    for (let step = 0; step < 200; step++) {
      span = earlier(span, length)
      expect(span.end - span.start).toBeLessThanOrEqual(MOST_ROWS)
    }
    expect(span.start).toBe(0)
    expect(around(span, 3_000, length).start).toBeLessThan(3_000)
    expect(around(span, 3_000, length).end).toBeGreaterThan(3_000)
    for (let step = 0; step < 200; step++) span = later(span, length)
    expect(span).toEqual(atEnd(length))
    expect(atEnd(5)).toEqual({ start: 0, end: 5 })
  })
})

describe('keys', () => {
  const made = (key: string, more: Record<string, unknown> = {}) => ({
    key,
    code: '',
    repeat: false,
    shiftKey: false,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    target: null,
    ...more,
  })
  const press = (...of: Parameters<typeof made>) => shortcutOf(made(...of))
  const step = (...of: Parameters<typeof made>) => stepOf(made(...of))
  const element = (tagName: string, type = '') => ({ tagName, type }) as unknown as EventTarget

  it('knows each of the list', () => {
    for (const [shortcut, key] of Object.entries(SHORTCUTS)) {
      expect(press(key, { shiftKey: /[A-Z!?]/.test(key) }), key).toBe(shortcut)
    }
    expect(press('Escape')).toBe('clear')
  })

  it('never fires while somebody types, nor with modifiers, nor of itself by being held down', () => {
    for (const tag of ['INPUT', 'TEXTAREA', 'SELECT']) expect(press('d', { target: element(tag, 'text') })).toBe(null)
    expect(press('d', { target: { isContentEditable: true } })).toBe(null)
    expect(press('d', { target: element('INPUT', 'checkbox') })).toBe('delete')
    for (const modifier of ['altKey', 'ctrlKey', 'metaKey', 'isComposing']) {
      expect(press('d', { [modifier]: true })).toBe(null)
    }
    expect(press('d', { repeat: true })).toBe(null)
    expect(press('j', { repeat: true })).toBe('down')
  })

  it('goes through a list by the keys of lists, unless somebody types', () => {
    expect(['ArrowUp', 'ArrowDown', 'Home', 'End'].map((key) => step(key))).toEqual([-1, 1, -Infinity, Infinity])
    expect(step('ArrowDown', { repeat: true, target: element('INPUT', 'checkbox') })).toBe(1)
    expect(step('ArrowDown', { target: element('INPUT', 'text') })).toBe(null)
    for (const modifier of ['altKey', 'ctrlKey', 'metaKey', 'shiftKey'])
      expect(step('End', { [modifier]: true })).toBe(null)
    expect(step('j')).toBe(null)
  })

  it('finds digits on a French keyboard and letters with caps lock', () => {
    expect(press('&', { code: 'Digit1' })).toBe('mute1')
    expect(press('2', { code: 'Digit2', shiftKey: true })).toBe('mute2')
    expect(press('!', { code: 'Digit1', shiftKey: true })).toBe('shield')
    expect(press('!', { code: 'Slash' })).toBe('shield')
    expect(press('A')).toBe('approve')
    expect(press('D')).toBe('delete')
    expect(press('D', { shiftKey: true })).toBe('deleteWhy')
    expect(press('/', { shiftKey: true })).toBe('search')
    expect(press('z')).toBe(null)
  })
})
