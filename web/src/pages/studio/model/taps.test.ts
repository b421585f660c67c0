import { describe, expect, it } from 'vitest'
import type { Alarm } from '$lib/protocol/day'
import { en, errorWords } from '../locales/day'
import { alarmWords, inOrder, open, Ringing } from './alarms'
import { iconFor, withCount } from './attention'
import { clockTimeIn, shortTimeIn } from './clock'
import { body, NINE_MS } from './samples'
import { shortcut } from './shortcuts'
import { commandOf, keyOf, readOutcome, requestOf, type Tap } from './taps'

describe('a tap on its way', () => {
  it('names its session over either way, and a media time only where one is meant', () => {
    const now: Tap = { kind: 'start', session: 'a/b', at_ms: null }
    expect(commandOf(now)).toEqual({ name: 'session.start', data: { id: 'a/b' } })
    expect(requestOf(now, 'turing')).toEqual({ path: '/api/v1/sessions/a%2Fb/start', body: {} })
    expect(commandOf({ ...now, at_ms: 5 })?.data).toEqual({ id: 'a/b', at: 5 })
    // The command for the end names none: by REST it cannot hit the session that took over meanwhile.
    expect(commandOf({ kind: 'end', session: 'a', at_ms: 5 })).toBeNull()
    expect(requestOf({ kind: 'end', session: 'a', at_ms: 5 }, 'turing')).toEqual({
      path: '/api/v1/sessions/a/end',
      body: { at: 5 },
    })
  })

  it('holds a room, a venue or an event', () => {
    expect(requestOf({ kind: 'hold', scope: 'venue', id: 'nantes', message: 'Fire' }, 'turing')).toEqual({
      path: '/api/v1/venues/nantes/hold',
      body: { message: 'Fire' },
    })
    expect(requestOf({ kind: 'take', source: null }, 'turing')).toEqual({
      path: '/api/v1/rooms/turing/air',
      body: { source: null },
    })
  })

  it('sets one thing of a source at a time, each with a key of its own', () => {
    const tap: Tap = { kind: 'set', source: 'main', change: { gain_db: -3.5 } }
    expect(commandOf(tap)).toBeNull()
    expect(requestOf(tap, 'turing')).toEqual({
      path: '/api/v1/rooms/turing/sources/main',
      body: { gain_db: -3.5 },
      method: 'PATCH',
    })
    expect(keyOf(tap)).not.toBe(keyOf({ ...tap, change: { mute: true } }))
    expect(keyOf(tap)).not.toBe(keyOf({ ...tap, source: 'spare' }))
  })

  it('is one key while it is under way, whatever its moment', () => {
    expect(keyOf({ kind: 'start', session: 'a', at_ms: null })).toBe(keyOf({ kind: 'start', session: 'a', at_ms: 3 }))
    expect(keyOf({ kind: 'start', session: 'a', at_ms: null })).not.toBe(
      keyOf({ kind: 'end', session: 'a', at_ms: null }),
    )
  })

  it('reads what was done out of all three answers', () => {
    expect(readOutcome({ ...body('a', 0, 1), action: 'x1' })).toMatchObject({
      actions: ['x1'],
      sessions: [{ id: 'a' }],
    })
    expect(readOutcome({ action: 'x1', session: body('a', 0, 1) })).toMatchObject({ actions: ['x1'] })
    expect(readOutcome({ action: 'x1', actions: ['x1', 'x2'], rooms: [], sessions: [body('a', 0, 1)] })).toMatchObject({
      actions: ['x1', 'x2'],
      sessions: [{ id: 'a' }],
    })
    expect(readOutcome({ action: null, actions: [], sessions: [] })).toEqual({ actions: [], sessions: [] })
  })
})

describe('alarms', () => {
  const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({
    id,
    code: id,
    level: 'alarm',
    since_ms: 0,
    owner: 'technician',
    session: null,
    details: {},
    acknowledged: null,
    severity: null,
    snoozedUntil_ms: null,
    words: {},
    ...more,
  })

  it('come with what nobody took first, then the gravest, then the oldest', () => {
    const list = [
      alarm('taken', { acknowledged: 'Ada' }),
      alarm('warning', { level: 'warning' }),
      alarm('young', { since_ms: 5 }),
      alarm('old'),
    ]
    expect(inOrder(list).map(({ id }) => id)).toEqual(['old', 'young', 'warning', 'taken'])
    expect(open(list).map(({ id }) => id)).toEqual(['young', 'old'])
  })

  it('ring once each, not when the page opens, not for what is taken', () => {
    const ringing = new Ringing()
    expect(ringing.take([alarm('a')])).toEqual([])
    expect(ringing.take([alarm('a'), alarm('b'), alarm('c', { acknowledged: 'Ada' })])).toEqual(['b'])
    expect(ringing.take([alarm('a'), alarm('b')])).toEqual([])
    expect(ringing.take([alarm('a')])).toEqual([])
    expect(ringing.take([alarm('a'), alarm('b')])).toEqual(['b'])
  })

  it('sound for no warning, and for one that becomes an alarm or was silenced for long enough', () => {
    const ringing = new Ringing()
    const quiet = alarm('a', { severity: 'warning' })
    expect(ringing.take([])).toEqual([])
    expect(ringing.take([quiet, alarm('b', { level: 'warning' })])).toEqual([])
    expect(open([quiet, alarm('b', { level: 'warning' })])).toEqual([])
    expect(ringing.take([alarm('a', { severity: 'ringing' })])).toEqual(['a'])
    expect(ringing.take([quiet])).toEqual([])
    expect(ringing.take([alarm('a', { severity: 'ringing' })])).toEqual(['a'])
  })

  it('have the server’s words in the page’s language', () => {
    const words = { en: { cause: 'No sound', remedy: 'Turn it on.' }, fr: { cause: 'Pas de son', remedy: '' } }
    expect(alarmWords(alarm('a', { words }), 'fr').cause).toBe('Pas de son')
    expect(alarmWords(alarm('a', { words: { en: words.en } }), 'fr').remedy).toBe('Turn it on.')
    expect(alarmWords(alarm('brand_new'), 'fr')).toEqual({ cause: 'brand_new', remedy: '' })
  })

  it('show in the tab’s title and icon', () => {
    expect(withCount('Turing', 0)).toBe('Turing')
    expect(withCount('Turing', 2)).toBe('(2) Turing')
    expect(decodeURIComponent(iconFor(12, true))).toContain('>9+<')
  })
})

describe('words', () => {
  it('are there for every code that the rules refuse with', () => {
    const codes =
      'after_next another_began before_previous before_start cancelled ended into_closed not_aired not_before not_running occupied over reserved running superseded too_far_back too_late'
    for (const code of codes.split(' ')) expect(en).toHaveProperty([`error.${code}`])
    expect(errorWords('too_late', 'x')).toBe(en['error.too_late'])
    expect(errorWords('brand_new', 'Something.')).toBe('The server says: Something.')
  })

  it('tell the time at the venue, wherever the crew is', () => {
    expect(clockTimeIn(NINE_MS + 432_000, 'en', 'Europe/Paris')).toBe('09:07:12')
    expect(shortTimeIn(NINE_MS, 'fr', 'Indian/Reunion')).toBe('12:00')
  })
})

describe('keys of the day', () => {
  const press = (key: string) => ({
    key,
    code: '',
    repeat: false,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    target: null,
  })

  it('are told apart from the studio’s others', () => {
    expect(['n', 'E', 'x', 'h', 'l', 'u', 'k', 'z', 'y', 'o', 'q'].map((key) => shortcut(press(key)))).toEqual([
      'start',
      'end',
      'extend',
      'hold',
      'slate',
      'undo',
      'alarm',
      'snooze',
      'normal',
      'air',
      null,
    ])
  })
})
