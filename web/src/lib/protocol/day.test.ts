import { describe, expect, it } from 'vitest'
import { readTime } from '$lib/api/read'
import { inTimeOrder, isStreamed, lateMinutes, readAlarms, readEvent, readHold, readSession, readVenue } from './day'

const SESSION = {
  id: 'k3-x',
  room: 'turing',
  event: 'journees',
  title: 'Keynote',
  subtitle: '',
  abstract: 'Of\nrooms.',
  speakers: ['Ada', 'Grace', ''],
  language: 'fr',
  tags: ['web'],
  track: '',
  url: '',
  kind: 'conference',
  capacity: 120,
  visibility: 'public',
  do_not_record: 'no',
  do_not_stream: 'ask',
  replay: 'after_review',
  state: 'on_air',
  start: '2026-11-24T09:00:00+01:00',
  end: '2026-11-24T09:45:00+01:00',
  shown_start: '2026-11-24T09:07:00+01:00',
  shown_end: '2026-11-24T09:52:00+01:00',
  delay_minutes: 0,
  started: '2026-11-24T09:07:12.250+01:00',
  ended: null,
  started_at_ms: Date.UTC(2026, 10, 24, 8, 7, 12, 250),
  ended_at_ms: null,
  ad_hoc: false,
  watch_url: 'http://venue.example.test/session/k3-x',
  replay_url: null,
}
const CREW = {
  key: 'sesame',
  live_url: '/live/turing/~sesame/index.m3u8',
  record_answer: null,
  stream_answer: true,
  guid: '',
  external_id: '7',
}

describe('a session', () => {
  it('is read with its times in UTC ms', () => {
    expect(readSession(SESSION)).toMatchObject({
      id: 'k3-x',
      start_ms: Date.UTC(2026, 10, 24, 8),
      shownStart_ms: Date.UTC(2026, 10, 24, 8, 7),
      started_ms: Date.UTC(2026, 10, 24, 8, 7, 12, 250),
      ended_ms: null,
      speakers: ['Ada', 'Grace'],
      replay: 'after_review',
      crew: null,
    })
  })

  it('tells its key only where the answer did', () => {
    expect(readSession({ ...SESSION, ...CREW })?.crew).toEqual({
      key: 'sesame',
      liveUrl: '/live/turing/~sesame/index.m3u8',
      recordAnswer: null,
      streamAnswer: true,
      guid: '',
      externalId: '7',
      chat: null,
      questions: null,
      portraitSources: {},
    })
  })

  it('is closed where its visibility is a word that this page does not know', () => {
    expect(readSession({ ...SESSION, visibility: 'members' })?.visibility).toBe('private')
  })

  it('is shown when it is planned where nothing else is told', () => {
    const { shown_start: _, shown_end: __, ...planned } = SESSION
    expect(readSession(planned)?.shownStart_ms).toBe(Date.UTC(2026, 10, 24, 8))
  })

  it('should end as planned, or when it was extended to', () => {
    expect(readSession(SESSION)?.expectedEnd_ms).toBe(Date.UTC(2026, 10, 24, 8, 45))
    const longer = { ...SESSION, state: 'overrun', expected_end: '2026-11-24T09:50:00+01:00' }
    expect(readSession(longer)?.expectedEnd_ms).toBe(Date.UTC(2026, 10, 24, 8, 50))
  })

  it.each([
    [null],
    ['session'],
    [[]],
    [{ title: 'Keynote' }],
    [{ ...SESSION, id: '' }],
    [{ ...SESSION, state: 7 }],
    [{ ...SESSION, start: 'at nine' }],
  ])('is not read from %j', (body) => expect(readSession(body)).toBeNull())

  it('is late by its delay and by what overruns before it', () => {
    const late = (body: object) => lateMinutes(readSession({ ...SESSION, ...body })!)
    expect(late({})).toBe(7)
    expect(late({ delay_minutes: 15 })).toBe(22)
    expect(late({ shown_start: SESSION.start })).toBe(0)
    expect(late({ shown_start: SESSION.start, delay_minutes: -5 })).toBe(0)
  })

  it('is not streamed while nobody has answered whether it may be', () => {
    const streamed = (body: object) => isStreamed(readSession({ ...SESSION, ...body })!)
    expect(streamed({ do_not_stream: 'no' })).toBe(true)
    expect(streamed({ do_not_stream: 'yes' })).toBe(false)
    expect(streamed({})).toBeNull()
    expect(streamed(CREW)).toBe(true)
    expect(streamed({ ...CREW, stream_answer: null })).toBe(false)
  })

  it('stands where its shown start puts it', () => {
    const later = { ...SESSION, id: 'b', shown_start: '2026-11-24T10:00:00+01:00' }
    const sooner = { ...SESSION, id: 'c', room: 'atelier' }
    const sessions = [later, SESSION, sooner].map((body) => readSession(body)!)
    expect(inTimeOrder(sessions).map(({ id }) => id)).toEqual(['c', 'k3-x', 'b'])
  })
})

describe('the rest of the day', () => {
  it('reads a time as text or as media time', () => {
    expect(readTime('1970-01-01T01:00:01+01:00')).toBe(1000)
    expect(readTime(1000)).toBe(1000)
    expect(readTime('soon')).toBeNull()
    expect(readTime(NaN)).toBeNull()
  })

  it('reads a hold, with or without its end', () => {
    const since = '2026-11-24T08:00:00Z'
    expect(readHold({ message: 'Fire alarm', since, until: null })).toEqual({
      message: 'Fire alarm',
      since_ms: Date.parse(since),
      until_ms: null,
    })
    expect(readHold(null)).toBeNull()
    expect(readHold({ message: 'Fire alarm' })).toBeNull()
  })

  it('reads alarms and leaves out what is none', () => {
    const words = { fr: { cause: 'Rien', remedy: 'Voyez.' }, de: 7 }
    const told = { severity: 'ringing', snoozed_until: null, words }
    const alarm = {
      ...told,
      id: 'a',
      code: 'no_media',
      level: 'alarm',
      since: '2026-11-24T08:00:00Z',
      owner: 'technician',
    }
    expect(readAlarms([alarm, { code: 'x' }, 7])).toEqual([
      {
        id: 'a',
        code: 'no_media',
        level: 'alarm',
        since_ms: Date.parse(alarm.since),
        owner: 'technician',
        session: null,
        details: {},
        acknowledged: null,
        severity: 'ringing',
        snoozedUntil_ms: null,
        words: { fr: { cause: 'Rien', remedy: 'Voyez.' } },
      },
    ])
    expect(readAlarms(undefined)).toEqual([])
  })

  it('reads a venue, and gives one in a zone that the browser does not know the usual one', () => {
    expect(
      readVenue({ id: 'reunion', name: 'La Réunion', timezone: 'Indian/Reunion', logos: ['/logos/a.png'] }),
    ).toMatchObject({ id: 'reunion', timezone: 'Indian/Reunion', language: '', logos: ['/logos/a.png'] })
    expect(readVenue({ id: 'x', timezone: 'Mars/Olympus' })?.timezone).toBe('Europe/Paris')
    expect(readVenue({ id: 'x' })?.timezone).toBe('Europe/Paris')
  })

  it('reads an event whose times follow from its sessions', () => {
    expect(readEvent({ id: 'journees', name: 'Journées', start: null, end: null, logos: [] })).toMatchObject({
      id: 'journees',
      start_ms: null,
    })
  })
})
