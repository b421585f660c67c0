import { expect, it } from 'vitest'
import { survivesVersions } from '$lib/api/versions'
import type { Schema } from '$lib/api/types'
import { readCrewRoom } from './crew-room'
import { readRoom } from './room'
import { readOutcome } from './taps'

const ROOM: Schema['RoomCrewView'] = {
  id: 'turing',
  name: 'Turing',
  venue: 'v',
  start: 'auto',
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
  on_programme: 'main',
  shows: { public: 'programme' },
  orders: { public: 'programme', record: true, source: null },
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

it('reads a room of an older and of a newer server', () => {
  survivesVersions(readRoom, ROOM, ['id', 'state'], ['state', 'word', 'on_programme'])
  survivesVersions(readCrewRoom, ROOM, ['state', 'orders'], ['state', 'word', 'start'])
  expect(readCrewRoom({ ...ROOM, shows: { public: 'picture_in_picture' } })?.shows).toEqual({ public: 'slate' })
})

it('reads what a tap did, whatever else is told', () => {
  const done: Schema['Done'] = { action: 'x1', actions: ['x1', 'x2'], rooms: [], sessions: [] }
  expect(readOutcome({ ...done, added_since: 1 })).toEqual({ actions: ['x1', 'x2'], sessions: [] })
  expect(readOutcome({ action: 'x1' })).toEqual({ actions: ['x1'], sessions: [] })
  expect(readOutcome({})).toEqual({ actions: [], sessions: [] })
})
