import { expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { readAlarm, readEvent, readHold, readSession, readVenue } from './day'
import { readStatus } from './room'

const HOLD: Schema['HoldView'] = { message: 'Fire alarm', since: '2026-11-24T08:00:00Z', until: null }
const SESSION: Schema['SessionCrewView'] = {
  id: 's',
  room: 'turing',
  also_in: ['lovelace'],
  venue: 'nantes',
  event: 'journees',
  title: 'Opening',
  subtitle: '',
  abstract: '',
  speakers: ['Ada'],
  portraits: { Ada: '/api/v1/sessions/s/portraits/0.jpg' },
  language: 'fr',
  tags: [],
  track: '',
  url: '',
  kind: 'seminar',
  capacity: null,
  visibility: 'public',
  do_not_record: 'no',
  do_not_stream: 'no',
  replay: 'at_once',
  state: 'on_air',
  start: '2026-11-24T08:00:00Z',
  end: '2026-11-24T09:00:00Z',
  shown_start: '2026-11-24T08:00:00Z',
  shown_end: '2026-11-24T09:00:00Z',
  expected_end: '2026-11-24T09:00:00Z',
  delay_minutes: 0,
  started: null,
  ended: null,
  started_at_ms: null,
  ended_at_ms: null,
  ad_hoc: false,
  watch_url: '/watch/turing',
  replay_url: null,
  key: '',
  live_url: '/live/turing/index.m3u8',
  record_answer: null,
  stream_answer: null,
  guid: '',
  chat: 'closed',
  questions: null,
  external_id: '',
  portrait_sources: { Ada: 'https://p.example/ada.jpg' },
}

it('reads a session of an older and of a newer server', () => {
  const words = ['kind', 'visibility', 'do_not_record', 'do_not_stream', 'replay', 'state'] as const
  survivesVersions(readSession, SESSION, ['id', 'title', 'state', 'start', 'end'], words)
  // An unknown state is shown as it is told, an unknown visibility is taken as the strictest.
  expect(readSession({ ...SESSION, state: 'rehearsed', kind: 'hackathon', visibility: 'members' })).toMatchObject({
    state: 'rehearsed',
    kind: 'hackathon',
    visibility: 'private',
  })
})

it('reads a hold, an alarm, a venue and an event', () => {
  survivesVersions(readHold, HOLD, ['since'])
  const alarm = { code: 'no_sound', level: 'alarm', since: HOLD.since, owner: 'technician', session: null, details: {} }
  const said = { cause: 'No sound', remedy: 'Turn it on.' }
  const told = { ...said, kind: 'no_sound', severity: 'ringing', taken_by: null, times: 1, snoozed_until: null }
  const full: Schema['AlarmView'] = { ...alarm, ...told, id: 'a', acknowledged: null, words: { en: said } }
  survivesVersions(readAlarm, full, ['id', 'code', 'since'], ['code', 'level', 'owner'])
  const look = {
    colour: '#e30613',
    typeface: 'serif' as const,
    logo: '',
    cover: '/covers/a.jpg',
    stylesheet: ':root{}',
  }
  const venue = { id: 'v', name: 'V', timezone: 'Europe/Paris', language: 'fr', logos: [], ...look }
  survivesVersions<Schema['VenueView']>(readVenue, venue, ['id'], ['timezone', 'language'])
  const event = {
    id: 'e',
    name: 'E',
    venue: 'v',
    start: null,
    end: null,
    language: 'fr',
    url: '',
    acronym: '',
    logos: [],
    ...look,
  }
  survivesVersions<Schema['EventView']>(readEvent, event, ['id'])
})

it('reads a room', () => {
  const room: Schema['RoomView'] = {
    id: 'turing',
    name: 'Turing',
    venue: 'v',
    start: 'tap',
    between: 'slate',
    caption_languages: [],
    state: 'live',
    sources: { main: { up: true } },
    word: 'on_air',
    session: SESSION,
    next: null,
    reserved_until: null,
    hold: HOLD,
  }
  survivesVersions((body) => readStatus(body, null), room, ['state'], ['state', 'word', 'start', 'between'])
})
