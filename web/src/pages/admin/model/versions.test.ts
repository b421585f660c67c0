import { expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { readWatched } from './audience'
import { readGrant } from './grants'
import { readDone, readFollowed, readItem, readPreview } from './imports'
import { readAdminEvent, readRoom } from './places'
import { readRecording } from './recordings'
import { readAudit } from './audit'
import { readYear } from './records'

const AT = '2026-11-24T08:00:00Z'
const ITEM: Schema['ImportItem'] = {
  key: 'k',
  title: 'Opening',
  room: 'turing',
  room_name: 'Turing',
  start: AT,
  session: null,
  needs_yes: false,
  blocked: false,
  consequences: [{ code: 'replay_goes', message: '', blocks: false }],
  changes: { title: ['a', 'b'] },
}

it('reads places of older and newer servers', () => {
  const room: Schema['RoomCrewView'] = {
    id: 'turing',
    name: 'Turing',
    venue: 'v',
    start: 'tap',
    between: 'slate',
    caption_languages: [],
    state: 'live',
    sources: {},
    word: 'on_air',
    session: null,
    next: null,
    reserved_until: null,
    hold: null,
    aliases: [],
    guid: '',
    retention_days: null,
    broadcast: null,
    on_programme: null,
    shows: {},
    orders: {},
    slate: false,
    media_up: true,
    media_stopped: null,
    first_words: null,
    viewers_whep: 0,
    shedding: [],
    alarms: [],
    normals: [],
    meters: null,
  }
  survivesVersions(readRoom, room, ['id'], ['start', 'between', 'state', 'word'])
  const event: Schema['EventCrewView'] = {
    id: 'e',
    name: 'E',
    venue: 'v',
    start: AT,
    end: AT,
    language: 'fr',
    url: '',
    acronym: '',
    logos: [],
    colour: '#e30613',
    typeface: 'serif',
    logo: '/logos/a.png',
    cover: '',
    stylesheet: '',
    source_url: '',
  }
  survivesVersions(readAdminEvent, event, ['id'])
})

it('reads grants and recordings', () => {
  const grant: Schema['GrantView'] = {
    id: 'g',
    role: 'technician',
    room: 'turing',
    venue: null,
    event: null,
    session: null,
    label: 'Ana',
    not_before: null,
    expires: null,
    ends: null,
    in_force: true,
    created: AT,
    session_title: 'A talk',
  }
  survivesVersions(readGrant, grant, ['id', 'role'], ['role'])
  // It can be seen and revoked.
  expect(readGrant({ ...grant, role: 'interpreter' })?.role).toBe('interpreter')
  const recording: Schema['RecordingCrewView'] = {
    session: 's',
    room: 'turing',
    title: 'Opening',
    speakers: [],
    event: null,
    state: 'ready',
    published: true,
    start_ms: 1,
    end_ms: 2,
    replay_url: null,
    download_url: null,
    bytes: 1,
    pinned: false,
    reviewed: false,
    created: AT,
    material_from_ms: 1,
    material_to_ms: 2,
    editions: [
      {
        id: 'e',
        start_ms: 1,
        end_ms: 2,
        skips: [[1, 2]],
        created: AT,
        replaced: null,
        url: '',
        download_url: null,
        loudness_lufs: -30,
        levelled: true,
      },
    ],
  }
  survivesVersions(readRecording, recording, ['session', 'state', 'start_ms', 'material_from_ms'], ['state'])
})

it('reads imports', () => {
  survivesVersions((body) => readItem(body, 'moved'), ITEM, ['key'])
  const preview: Schema['ImportView'] = {
    id: 'i',
    event: 'e',
    event_name: 'E',
    event_is_new: false,
    venue: null,
    sessions: 1,
    rooms: 1,
    new_rooms: [],
    rooms_unknown: [],
    rooms_ambiguous: {},
    difference: { added: [ITEM], moved: [], changed: [], cancelled: [], unchanged: 0 },
    warnings: [{ code: 'no_end', message: '', item: 'k' }],
  }
  survivesVersions(readPreview, preview, ['id', 'difference'])
  const done: Schema['ImportDone'] = { event: 'e', added: 1, changed: 0, waiting: [ITEM] }
  survivesVersions(readDone, done, [])
  const followed: Schema['ScheduleSourceView'] = {
    event: 'e',
    event_name: 'E',
    url: 'https://a.test/x.ics',
    every_s: 600,
    polled: AT,
    error: '',
    followed_by: 'Ana',
    stopped: null,
    waiting: [ITEM],
  }
  survivesVersions(readFollowed, followed, ['event', 'url'], ['stopped'])
})

it('reads records and figures', () => {
  const entry: Schema['AuditView'] = {
    id: 1,
    at: AT,
    who: 'Ana',
    label: '',
    action: 'room.change',
    kind: 'room',
    target: 'turing',
    name: 'A talk',
    room: 'turing',
    venue: null,
    details: { name: ['a', 'b'] },
  }
  survivesVersions(readAudit, entry, ['id', 'at'], ['action', 'kind'])
  const year: Schema['YearView'] = {
    venue: 'v',
    name: 'V',
    year: 2026,
    count: 1,
    wanted: 2,
    kinds: { seminar: 1 },
    events: 1,
    hours: 1,
  }
  survivesVersions(readYear, year, [])
  const watched: Schema['Watched'] = { session: 's', minutes: 1, peak: 1, average: 1 }
  survivesVersions(readWatched, watched, ['minutes', 'peak', 'average'])
})
