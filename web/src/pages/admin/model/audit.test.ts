import { beforeAll, afterAll, describe, expect, it } from 'vitest'
import { locale } from '$lib/i18n'
import { ACTIONS, actionText, fieldText } from '../locales/audit'
import { fieldOf, peopleOf, readAudit, type Reader, whoText, wordsOf } from './audit'

const details = (kind: string, told: object) =>
  readAudit({ id: 3, at: '2026-11-24T08:00:00Z', who: 'admin', action: 'x', kind, target: 'a', details: told })?.details

const reader: Reader = {
  locale: 'fr',
  zone: 'Indian/Reunion',
  names: {
    roomName: (id) => `salle ${id}`,
    venueName: (id) => `lieu ${id}`,
    eventName: (id) => `événement ${id}`,
    sessionName: () => 'Un exposé',
  },
}

describe('the audit log', () => {
  const before = locale.current
  beforeAll(() => locale.choose('fr'))
  afterAll(() => locale.choose(before))

  it('tells changes as pairs and the rest as it was said', () => {
    expect(details('room', { name: ['A', 'B'], agent: 'x', logos: [] })).toEqual([
      { field: 'name', old: 'A', new: 'B', pair: true },
      { field: 'agent', old: null, new: 'x', pair: false },
      { field: 'logos', old: null, new: [], pair: false },
    ])
    expect(readAudit({ at: 'x' })).toBeNull()
  })

  it('takes no list of two for an old and a new value', () => {
    const [speakers, skips, rooms, changed] = details('session', {
      speakers: ['Ana', 'Bo'],
      skips: [
        [1, 2],
        [3, 4],
      ],
      rooms: ['a', 'b'],
      tags: [[], ['x', 'y']],
    })!
    expect([speakers?.pair, skips?.pair, rooms?.pair, changed?.pair]).toEqual([false, false, false, true])
  })

  it('says values in words, on the clock of the reader', () => {
    const at = Date.UTC(2026, 10, 24, 8, 5, 7, 40)
    const said = (field: string, value: unknown, kind = 'session') => wordsOf(field, value, kind, reader)
    expect(said('start', at)).toContain('12:05')
    expect(said('start', '2026-11-24T08:05:00Z')).toContain('12:05')
    expect(said('start', at, 'recording')).toContain('12:05:07.040')
    expect(said('skips', [[at, at + 1000]])).toBe('12:05:07.040 – 12:05:08.040')
    expect(said('visibility', 'private')).toBe('Privée\u00a0: sur invitation seulement')
    expect(said('state', 'on_air')).toBe('À l’antenne')
    expect(said('agent', 'Mozilla/5.0 (X11; rv:150.0) Gecko/20100101 Firefox/150.0', 'login')).toBe('Firefox 150')
    expect(said('start_rule', 'auto', 'room')).toContain('toute seule')
    expect([said('room', 'r'), said('venue', 'v'), said('event', 'e'), said('session', 's')]).toEqual([
      'salle r',
      'lieu v',
      'événement e',
      'Un exposé',
    ])
    expect([said('published', true), said('event', null), said('role', 'speaker', 'grant')]).toEqual([
      'oui',
      '–',
      'Intervenant',
    ])
    expect([said('rooms', ['x', 'y']), said('sessions', ['i', 'j', 'k'])]).toEqual(['salle x, salle y', '3 sessions'])
    // A word of a newer server is told as it is.
    expect(said('state', 'dreaming')).toBe('dreaming')
    expect(fieldOf({ kind: 'room' }, { field: 'start' })).toBe('start_rule')
    expect(fieldText(fieldOf({ kind: 'session' }, { field: 'start_ms' }))).toBe('Début')
  })

  it('is filtered by people, not by their ids', () => {
    const entries = [
      { who: 'g2', label: 'Zoé', at_ms: 4 },
      { who: 'g1', label: 'Ana', at_ms: 3 },
      { who: 'g1', label: 'Ana', at_ms: 2 },
      { who: 'clock', label: '', at_ms: 1 },
    ]
    const when = (at_ms: number) => `${at_ms} h`
    expect(peopleOf(entries, '', when)).toEqual([
      ['g1', 'Ana'],
      ['clock', 'L’horloge'],
      ['g2', 'Zoé'],
    ])
    // One whom nothing that is shown names stays chosen.
    expect(peopleOf([], 'g9', when)).toEqual([['g9', 'g9']])
    // Two links with one label are two choices.
    const more = ['g3', 'g4'].map((who) => ({ who, label: 'Ana', at_ms: 1 }))
    expect(peopleOf([...entries, ...more], '', when)).toEqual([
      ['g3', 'Ana, en dernier\u00a0: 1 h'],
      ['g4', 'Ana, en dernier\u00a0: 1 h (2)'],
      ['g1', 'Ana, en dernier\u00a0: 3 h'],
      ['clock', 'L’horloge'],
      ['g2', 'Zoé'],
    ])
    expect(whoText({ who: 'admin', label: 'STREAMER_ADMIN_TOKEN' })).toBe('Administration')
    expect(whoText({ who: 'retention', label: 'retention' })).toBe('La conservation')
  })

  it('tells actions in words, and those of a newer server as it calls them', () => {
    for (const action of ACTIONS) expect(actionText(action)).not.toContain('.')
    expect(actionText('session.start.undo')).toBe('A annulé\u00a0: A démarré une session')
    expect(actionText('session.teleport')).toBe('session.teleport')
  })
})
