import { describe, expect, it } from 'vitest'
import { readAlarm, readSession, readVenue } from '$lib/protocol/day'
import { readMessage, readMode, readQuestion } from './items'

const TIMES = { start: '2026-11-24T08:00:00Z', end: '2026-11-24T09:00:00Z' }

describe('an answer one version older', () => {
  it('is read without the fields that came since', () => {
    expect(readSession({ id: 's', title: 'Opening', state: 'on_air', ...TIMES })).toMatchObject({
      room: '',
      speakers: [],
      visibility: 'private',
      doNotStream: 'no',
      shownStart_ms: Date.UTC(2026, 10, 24, 8),
      expectedEnd_ms: Date.UTC(2026, 10, 24, 9),
      delayMinutes: 0,
      replayUrl: null,
      crew: null,
    })
    expect(readVenue({ id: 'v' })).toMatchObject({ name: 'v', timezone: 'Europe/Paris', logos: [] })
    expect(readMessage({ id: 'm', text: '', at: TIMES.start })).toMatchObject({
      state: 'held',
      role: null,
      replyTo: null,
    })
    expect(readMessage({ id: 'm', text: '', at: TIMES.start })).not.toHaveProperty('reason')
  })
})

describe('an answer one version newer', () => {
  it('is read whatever fields it has besides', () => {
    const alarm = { id: 'a', code: 'coffee_low', since: 1, severity: { of: 'four' }, acknowledged_at: 7 }
    expect(readAlarm(alarm)).toMatchObject({ id: 'a', code: 'coffee_low', level: 'warning', details: {} })
  })
  it('is read whatever words it has for what is known by others', () => {
    const session = { id: 's', title: 'Opening', state: 'ended', ...TIMES }
    expect(readSession({ ...session, kind: 'hackathon', visibility: 'members', replay: 'later' })).toMatchObject({
      kind: 'conference',
      visibility: 'private',
      replay: 'at_once',
    })
    expect(readMessage({ id: 'm', text: 'a', at: 1, state: 'quarantined', role: 'mascot' })).toMatchObject({
      state: 'held',
      role: null,
    })
    expect(readMode({ chat: 'open', questions: 'open', order: 'random' })).toMatchObject({ order: 'fair' })
  })
  it('is none where nothing can be made of it', () => {
    expect(readSession({ id: 's', title: 'Opening', state: 'rehearsed', ...TIMES })).toBeNull()
    expect(readQuestion({ id: 'q', text: 'a', at: 1, state: 'parked' })).toBeNull()
    expect(readMode({ chat: 'poems', questions: 'open' })).toBeNull()
  })
})
