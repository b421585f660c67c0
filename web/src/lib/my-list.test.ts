import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Session } from '$lib/protocol/day'
import { calendarOf } from './reminders'

const kept = new Map<string, string>()
const START_MS = Date.UTC(2026, 10, 24, 13, 5)

const session = (id: string, more: Partial<Session> = {}) =>
  ({
    id,
    title: `Title of ${id}`,
    speakers: ['Ada'],
    shownStart_ms: START_MS,
    shownEnd_ms: START_MS + 60_000,
    ...more,
  }) as Session

async function fresh() {
  vi.resetModules()
  return (await import('./my-list.svelte')).myList
}

beforeEach(() => {
  kept.clear()
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  })
})
afterEach(() => vi.unstubAllGlobals())

describe('my list', () => {
  it('is there again when the page is opened anew, in the order of time', async () => {
    const list = await fresh()
    list.toggle(session('b', { shownStart_ms: START_MS + 1 }), 'Salle')
    list.toggle(session('a'), 'Salle')
    expect((await fresh()).items.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  it('loses what is taken off, and follows what moves', async () => {
    const list = await fresh()
    list.toggle(session('a'), 'Salle')
    list.toggle(session('b'), 'Salle')
    list.toggle(session('a'), 'Salle')
    list.renew([session('b', { title: 'Another', shownStart_ms: START_MS + 900_000 }), session('c')])
    expect(list.items).toMatchObject([{ id: 'b', title: 'Another', start_ms: START_MS + 900_000 }])
  })

  it.each(['{', '{}', '[null, 1, {"id": 3}]'])('takes nothing that it did not write: %s', async (text) => {
    kept.set('streamer.list', text)
    expect((await fresh()).items).toEqual([])
  })
})

describe('a calendar of it', () => {
  const item = {
    id: 'a',
    title: 'Été; à, Nantes\\'.repeat(8),
    speakers: ['Ada', 'Bob'],
    start_ms: START_MS,
    end_ms: START_MS + 1_800_000,
    place: 'Salle\n1',
  }
  const made = calendarOf([item], 'https://s.test', START_MS)
  const unfolded = made.replaceAll('\r\n ', '')

  it('has the session with its times, place and address', () => {
    for (const line of [
      'DTSTART:20261124T130500Z',
      'DTEND:20261124T133500Z',
      'LOCATION:Salle\\n1',
      'URL:https://s.test/session/a',
      'UID:a@s.test',
      `SUMMARY:${'Été\\; à\\, Nantes\\\\'.repeat(8)}`,
    ])
      expect(unfolded).toContain(`${line}\r\n`)
  })

  it('reminds ten minutes before', () => {
    expect(unfolded).toMatch(
      /BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:.*\r\nTRIGGER:-PT10M\r\nEND:VALARM\r\nEND:VEVENT/,
    )
  })

  it('keeps its lines short, and no character is broken', () => {
    const encoder = new TextEncoder()
    for (const line of made.split('\r\n')) expect(encoder.encode(line).length).toBeLessThanOrEqual(75)
    expect(made).not.toContain('\uFFFD')
  })
})
